// The controls: what is shown, and where.

const find = (selector) => document.querySelector(selector);
const state = {
  positions: axes.map((axis) => Math.floor(axis.numbers.length / 2)),
  overlay: null,
  facies: layers.find((layer) => layer.kind === "facies"), // the prediction chosen last
  hidden: new Set(),
  contacts: [],
  showLines: true,
};
const panes = [
  new Pane("inline", 0, 1, 2),
  new Pane("crossline", 1, 0, 2),
  new Pane("slice", 2, 1, 0),
];
let active = panes[0]; // the view that keys act on
let pointed = null; // positions under the pointer
let isDrawing = false;

// --- drawing --------------------------------------------------------------------------------

function draw() {
  isDrawing = false;
  for (const pane of panes) pane.draw(state);
  showReadout();
}

function drawSoon() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(draw);
}

function drawAll() {
  for (const pane of panes) pane.isStale = true;
  drawSoon();
}

// Reads the controls, all of them: there are few.
function update() {
  const chosen = find("#overlays input:checked");
  state.overlay = chosen && chosen.value !== "none" ? layers[chosen.value] : null;
  if (state.overlay?.kind === "facies") state.facies = state.overlay;
  state.opacity = find("#opacity").value / 100;
  state.smooth = find("#smooth").checked;
  state.showLines = find("#show-lines").checked;
  const look = {
    palette: find("#palette").value,
    gain: 10 ** (find("#gain").value / 20),
    reverse: find("#reverse").checked,
  };
  state.amplitudeTable = amplitudeTable(layers[0], look);
  state.hidden = new Set(
    [...document.querySelectorAll("#units input:not(:checked)")].map((box) => +box.value));
  if (state.overlay?.kind === "doubt") state.overlayTable = doubtTable(state.overlay, doubtScale(look.palette));
  else state.overlayTable = faciesTable(state.hidden);
  const interpretation = layers.find((layer) => layer.kind === "interpretation");
  state.contacts = [
    find("#facies-contacts input").checked && state.facies,
    find("#interpretation-contacts input").checked && interpretation,
  ].filter(Boolean);
  find("#facies-contacts span").textContent = state.facies?.name ?? "";
  find("#gain + output").textContent = `× ${shortNumber(look.gain, 2)}`;
  const middle = layers[0].low < 0 ? 0 : layers[0].low;
  showBar("#amplitude-bar", gradient(look.palette, look.reverse),
    ...[layers[0].low, layers[0].high].map((end) => middle + (end - middle) / look.gain));
  find("#doubt-bar").hidden = state.overlay?.kind !== "doubt";
  if (state.overlay?.kind === "doubt") {
    const background = gradient(doubtScale(look.palette), false);
    showBar("#doubt-bar", background, state.overlay.low, state.overlay.high);
  }
  drawAll();
}

function showBar(selector, background, low, high) {
  const [left, right] = document.querySelectorAll(`${selector} span`);
  [left.textContent, right.textContent] = [shortNumber(low), shortNumber(high)];
  find(`${selector} i`).style.background = background;
}

function shortNumber(number, digits = 3) {
  return String(+number.toPrecision(digits)).replace("-", "−");
}

// --- where ----------------------------------------------------------------------------------

function moveTo(positions) {
  for (const pane of panes) {
    const last = axes[pane.normal].numbers.length - 1;
    const position = Math.max(0, Math.min(last, positions[pane.normal]));
    if (position !== state.positions[pane.normal]) pane.isStale = true;
    state.positions[pane.normal] = position;
    showPosition(pane);
  }
  drawSoon();
}

function moveOne(pane, position) {
  moveTo(state.positions.map((old, axis) => (axis === pane.normal ? position : old)));
}

function showPosition(pane) {
  const axis = axes[pane.normal];
  const number = axis.numbers[state.positions[pane.normal]];
  const slider = pane.element.querySelector(".slider");
  slider.value = state.positions[pane.normal];
  slider.ariaValueText = `${pane.id} ${number} ${axis.unit}`;
  pane.element.querySelector(".number").value = number;
  pane.canvas.ariaLabel =
    `${pane.id} ${number} ${axis.unit}. Arrow keys show the ones before and after.`;
  const mark = pane.element.querySelector(".mark");
  const kind = Object.keys(MARKS).find((own) => description.lines[own][pane.id]?.includes(number));
  mark.className = `mark ${kind ?? ""}`;
  mark.textContent = { training: "training line", next: "suggested next" }[kind] ?? "";
}

function showReadout() {
  const positions = pointed ?? state.positions;
  const numbers = positions.map((position, axis) => axes[axis].numbers[position]);
  const parts = axes.map((axis, k) => [axis.name, `${numbers[k]} ${axis.unit}`]);
  for (const name of description.map ? ["x", "y"] : []) {
    const [constant, perInline, perCrossline] = description.map[name];
    const value = constant + perInline * numbers[0] + perCrossline * numbers[1];
    parts.push([name.toUpperCase(), value.toFixed(0)]);
  }
  for (const layer of layers) {
    const code = codeAt(layer, positions);
    parts.push([layer.name, layer.table ? description.facies[code - 1]?.name ?? "–"
      : valueWords(layer, code)]);
  }
  find("#readout").replaceChildren(...parts.map(([name, value]) => {
    const element = document.createElement("span");
    const strong = document.createElement("b");
    strong.textContent = value;
    element.append(`${name} `, strong);
    return element;
  }));
}

// Numbers at the ends of the range may be beyond it.
function valueWords(layer, code) {
  const value = valueOf(layer, code);
  if (value === null) return "–";
  const beyond = layer.kind !== "amplitude" ? "" : { 1: "≤ ", [layer.nCodes]: "≥ " }[code] ?? "";
  return beyond + shortNumber(value);
}

// --- controls -------------------------------------------------------------------------------

function addChoice(parent, type, name, value, text, color) {
  const label = document.createElement("label");
  label.className = "choice";
  const input = Object.assign(document.createElement("input"), { type, name, value });
  const words = Object.assign(document.createElement("span"), { textContent: text });
  label.append(input);
  if (color) {
    const swatch = document.createElement("i");
    swatch.className = "swatch";
    swatch.style.background = color;
    label.append(swatch);
  }
  label.append(words);
  find(`${parent} .choices`).append(label);
  return input;
}

function buildControls() {
  find("#title").textContent = description.title;
  find("#summary").textContent = find("#steps").textContent = summary();
  layers.forEach((layer, number) => {
    if (number) addChoice("#overlays", "radio", "overlay", number, layer.name);
  });
  addChoice("#overlays", "radio", "overlay", "none", "none");
  find("#overlays input").checked = true;
  description.facies.forEach(({ name, color }, k) => {
    addChoice("#units", "checkbox", "unit", k + 1, name, color).checked = true;
  });
  const kinds = new Set(layers.map((layer) => layer.kind));
  find("#overlays").hidden = layers.length < 2;
  find("#units").hidden = !kinds.has("facies") && !kinds.has("interpretation");
  find("#facies-contacts").hidden = !kinds.has("facies");
  find("#interpretation-contacts").hidden = !kinds.has("interpretation");
  find("#contacts").hidden = find("#units").hidden;
  buildLines();
  if (matchMedia("(prefers-color-scheme: dark)").matches) switchTheme();
}

function summary() {
  const names = ["inline", "crossline", "sample"];
  const sizes = names.map((name, k) =>
    `${description.shape[k]} ${name}${description.shape[k] === 1 ? "" : "s"}`);
  const nth = names.flatMap((name, k) => {
    const step = description.steps[k];
    return step > 1 ? [`every ${ordinal(step)} ${name}`] : [];
  });
  const shown = nth.length ? `shown: ${nth.join(", ")}` : "shown in full";
  return `${sizes.join(" × ")}, ${shown}`;
}

function ordinal(number) {
  const ending = { 1: "st", 2: "nd", 3: "rd" }[number % 10];
  return number + (Math.floor(number / 10) % 10 === 1 ? "th" : ending ?? "th");
}

function buildLines() {
  const menu = find("#go-to");
  menu.append(new Option("a line", ""));
  for (const [kind, title] of [["training", "training"], ["next", "suggested next"]]) {
    const group = document.createElement("optgroup");
    group.label = title;
    for (const direction of ["inline", "crossline"]) {
      for (const number of description.lines[kind][direction]) {
        group.append(new Option(`${direction} ${number}`, `${direction} ${number}`));
      }
    }
    find(`#${kind}-key`).hidden = !group.children.length;
    if (group.children.length) menu.append(group);
  }
  find("#lines").hidden = menu.length < 2;
  menu.addEventListener("change", () => {
    const [direction, number] = menu.value.split(" ");
    const pane = panes.find((own) => own.id === direction);
    if (pane) moveOne(pane, nearest(axes[pane.normal].numbers, +number));
    menu.value = "";
  });
}

function buildPane(pane) {
  const slider = pane.element.querySelector(".slider");
  const number = pane.element.querySelector(".number");
  slider.max = axes[pane.normal].numbers.length - 1;
  slider.addEventListener("input", () => moveOne(pane, +slider.value));
  number.addEventListener("change", () => {
    moveOne(pane, nearest(axes[pane.normal].numbers, +number.value));
    showPosition(pane);
  });
  pane.element.querySelector(".enlarge").addEventListener("click", () => enlarge(pane));
  pane.element.addEventListener("focusin", () => { active = pane; });
  const { canvas } = pane;
  canvas.addEventListener("pointermove", (event) => {
    pointed = pane.positionsAt(event, state.positions[pane.normal]);
    if (pointed && event.buttons & 1) moveTo(pointed);
    showReadout();
  });
  canvas.addEventListener("pointerleave", () => {
    pointed = null;
    showReadout();
  });
  canvas.addEventListener("pointerdown", (event) => {
    const positions = pane.positionsAt(event, state.positions[pane.normal]);
    if (positions) moveTo(positions);
  });
  canvas.addEventListener("keydown", (event) => {
    const last = axes[pane.normal].numbers.length - 1;
    const here = state.positions[pane.normal];
    const there = {
      ArrowLeft: here - 1, ArrowUp: here - 1, ArrowRight: here + 1, ArrowDown: here + 1,
      PageUp: here - 10, PageDown: here + 10, Home: 0, End: last,
    }[event.key];
    if (there === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    moveOne(pane, there);
  });
  new ResizeObserver(drawSoon).observe(canvas);
  showPosition(pane);
}

// A 2-D line has no crosslines or slices to look at.
function arrangePanes() {
  const [, crossline, slice] = panes;
  crossline.element.hidden = nInlines < 2 || nCrosslines < 2;
  slice.element.hidden = nInlines < 2 || nCrosslines < 2;
  if (nCrosslines < 2 && nInlines > 1) {
    crossline.element.hidden = false;
    panes[0].element.hidden = true;
    active = crossline;
  }
  if (slice.element.hidden) {
    find("main").dataset.enlarged = active.id;
    for (const part of [".slider", ".enlarge"]) active.element.querySelector(part).hidden = true;
  }
  slice.element.querySelector("h2").textContent =
    axes[2].unit && axes[2].name === "two-way time" ? "Time slice" : "Depth slice";
  arrangeMap(slice);
}

// The map is a turned picture of the ground, not a mirrored one, and has its proportions.
function arrangeMap(slice) {
  const span = (axis) => {
    const numbers = axes[axis].numbers;
    return Math.abs(numbers[numbers.length - 1] - numbers[0]) / Math.max(1, numbers.length - 1);
  };
  slice.aspect = [span(1) || 1, span(0) || 1];
  slice.upwards = true;
  if (!description.map) return;
  const { x, y } = description.map;
  slice.aspect = [span(1) * Math.hypot(x[2], y[2]), span(0) * Math.hypot(x[1], y[1])];
  const rises = [0, 1].map((k) => Math.sign(axes[k].numbers.at(-1) - axes[k].numbers[0]));
  slice.upwards = (x[2] * y[1] - y[2] * x[1]) * rises[0] * rises[1] > 0;
  const up = slice.upwards ? rises[0] : -rises[0];
  slice.north = Math.atan2(
    rises[1] * y[2] / Math.hypot(x[2], y[2]), up * y[1] / Math.hypot(x[1], y[1]));
}

function enlarge(pane) {
  const { dataset } = find("main");
  if (dataset.enlarged === pane.id) delete dataset.enlarged;
  else dataset.enlarged = pane.id;
  for (const { id, element } of panes) {
    const button = element.querySelector(".enlarge");
    button.ariaPressed = String(dataset.enlarged === id);
    button.textContent = dataset.enlarged === id ? "All views" : "Enlarge";
  }
  drawAll();
}

function switchTheme() {
  const { dataset } = document.documentElement;
  dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  find("#theme").textContent = dataset.theme === "dark" ? "Light" : "Dark";
  drawAll();
}

function toggleOverlay() {
  const none = find("#overlays input[value=none]");
  if (none.checked) (state.shownBefore ?? find("#overlays input")).checked = true;
  else {
    state.shownBefore = find("#overlays input:checked");
    none.checked = true;
  }
  update();
}

function toggle(...selectors) {
  const boxes = selectors.map(find);
  const isOn = boxes.some((box) => box.checked);
  for (const box of boxes) box.checked = !isOn;
  update();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || find("dialog").open) return;
  if (event.target.matches("input[type=number], select")) return;
  const action = {
    1: () => panes[0].canvas.focus(),
    2: () => panes[1].canvas.focus(),
    3: () => panes[2].canvas.focus(),
    e: () => panes[2].element.hidden || enlarge(active),
    o: toggleOverlay,
    c: () => toggle("#facies-contacts input", "#interpretation-contacts input"),
    l: () => toggle("#show-lines"),
    d: switchTheme,
    "?": () => find("dialog").showModal(),
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function start() {
  buildControls();
  arrangePanes();
  panes.forEach(buildPane);
  find("aside").addEventListener("input", update);
  find("#all-units").addEventListener("click", () => showUnits(true));
  find("#no-units").addEventListener("click", () => showUnits(false));
  find("#theme").addEventListener("click", switchTheme);
  find("#help").addEventListener("click", () => find("dialog").showModal());
  document.addEventListener("keydown", onKey);
  update();
  loadAll(state.positions[0], (part) => {
    for (const pane of panes) pane.isStale = true;
    draw();
    find("#message").textContent = part === "allData" ? "" : "Loading…";
    document.documentElement.dataset[part] = Math.round(performance.now()); // for tests
  }).catch((error) => {
    find("#message").textContent = `The data of this page cannot be read: ${error.message}. ` +
      "Use a browser of 2023 or later, or write the page again.";
  });
}

function showUnits(isOn) {
  for (const box of document.querySelectorAll("#units input")) box.checked = isOn;
  update();
}

start();
