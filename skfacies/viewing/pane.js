// One view: a section of the cube with its axes, contacts and marks.

const MARGIN = { left: 58, top: 38, right: 12, bottom: 10 };
const CONTACTS = {
  facies: { line: "#ffe600", casing: "#000000" },
  interpretation: { line: "#000000", casing: "#ffffff" },
};
const MARKS = {
  training: { line: "#ff9a3c", dash: [] },
  next: { line: "#ff7ac6", dash: [7, 4] },
};

class Pane {
  // `normal` is the axis that the view cuts, `across` the one to the right, `down` the other.
  constructor(id, normal, across, down) {
    this.element = document.getElementById(id);
    this.canvas = this.element.querySelector("canvas");
    Object.assign(this, { id, normal, across, down });
    this.size = [across, down].map((axis) => axes[axis].numbers.length);
    this.upwards = false; // whether numbers of the vertical axis rise upwards
    this.aspect = null; // of a bin to the right and one down, in meters
    this.north = null; // angle from the top of the view, clockwise
    this.picture = document.createElement("canvas"); // all but the cross
    this.isStale = true;
    this.frame = this.findFrame();
  }

  // Bytes of a layer in this view, row by row.
  cut(layer, index) {
    const strides = [nCrosslines * layer.nSamples, layer.nSamples, layer.isMap ? 0 : 1];
    const [width, height] = this.size;
    const codes = new Uint8Array(width * height);
    const [right, down] = [strides[this.across], strides[this.down]];
    for (let row = 0, k = 0; row < height; row++) {
      let from = index * strides[this.normal] + row * down;
      for (let column = 0; column < width; column++, from += right) codes[k++] = layer.codes[from];
    }
    return codes;
  }

  // Where the section lies in the canvas, in pixels of the page.
  findFrame() {
    const width = this.canvas.clientWidth - MARGIN.left - MARGIN.right;
    const height = this.canvas.clientHeight - MARGIN.top - MARGIN.bottom;
    const frame = { x: MARGIN.left, y: MARGIN.top, width, height };
    if (this.aspect) {
      const [right, down] = this.aspect;
      const scale = Math.min(width / (right * this.size[0]), height / (down * this.size[1]));
      // A survey that is a few lines wide is drawn wider than it is.
      frame.width = Math.max(width / 5, scale * right * this.size[0]);
      frame.height = Math.max(height / 5, scale * down * this.size[1]);
    }
    return frame;
  }

  toX(position) {
    return this.frame.x + ((position + 0.5) / this.size[0]) * this.frame.width;
  }

  toY(position) {
    const part = (position + 0.5) / this.size[1];
    return this.frame.y + (this.upwards ? 1 - part : part) * this.frame.height;
  }

  // Positions along the three axes under a pointer; null outside of the section.
  positionsAt(event, index) {
    const { x, y, width, height } = this.frame;
    const right = (event.offsetX - x) / width;
    let down = (event.offsetY - y) / height;
    if (right < 0 || right >= 1 || down < 0 || down >= 1) return null;
    if (this.upwards) down = 1 - down;
    const positions = [0, 0, 0];
    positions[this.normal] = index;
    positions[this.across] = Math.floor(right * this.size[0]);
    positions[this.down] = Math.min(this.size[1] - 1, Math.floor(down * this.size[1]));
    return positions;
  }

  // Draws the view, the picture only if it is stale, and the cross where the other views are.
  draw(state) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.canvas.clientWidth * ratio);
    const height = Math.round(this.canvas.clientHeight * ratio);
    if (!width || !height) return;
    if (this.canvas.width !== width || this.canvas.height !== height) this.isStale = true;
    if (this.isStale) {
      this.frame = this.findFrame();
      [this.canvas.width, this.canvas.height] = [width, height];
      [this.picture.width, this.picture.height] = [width, height];
      const context = this.picture.getContext("2d");
      context.scale(ratio, ratio);
      this.drawPicture(context, state);
      this.isStale = false;
    }
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.drawImage(this.picture, 0, 0);
    context.scale(ratio, ratio);
    if (state.showLines) this.drawCross(context, state.positions);
  }

  drawPicture(context, state) {
    const { x, y, width, height } = this.frame;
    if (width <= 0 || height <= 0) return;
    const index = state.positions[this.normal];
    context.fillStyle = cssColor("--empty");
    context.fillRect(x, y, width, height);
    this.drawBytes(context, this.cut(layers[0], index), state.amplitudeTable, 1, state.smooth);
    if (state.overlay) {
      const codes = this.cut(state.overlay, index);
      this.drawBytes(context, codes, state.overlayTable, state.opacity, false);
    }
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    for (const layer of state.contacts) {
      const path = this.contactPath(this.cut(layer, index));
      const { line, casing } = CONTACTS[layer.kind];
      strokeTwice(context, path, line, casing, 1.4);
    }
    if (this.id === "slice" && state.showLines) this.drawLines(context);
    context.restore();
    if (this.id !== "slice" && state.showLines) this.drawArrows(context);
    this.drawAxes(context);
    if (this.north !== null) this.drawNorth(context);
  }

  drawBytes(context, codes, table, opacity, smooth) {
    const [width, height] = this.size;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let k = 0; k < codes.length; k++) pixels[k] = table[codes[k]];
    const bitmap = new OffscreenCanvas(width, height);
    bitmap.getContext("2d").putImageData(image, 0, 0);
    const frame = this.frame;
    context.save();
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "medium";
    context.translate(frame.x, this.upwards ? frame.y + frame.height : frame.y);
    context.scale(1, this.upwards ? -1 : 1);
    context.drawImage(bitmap, 0, 0, frame.width, frame.height);
    context.restore();
  }

  // Edges between samples of two units; none next to samples without a unit.
  contactPath(codes) {
    const [width, height] = this.size;
    const path = new Path2D();
    for (let row = 1; row < height; row++) {
      const y = (this.toY(row - 1) + this.toY(row)) / 2;
      for (let column = 0; column < width; column++) {
        if (!isContact(codes, row * width + column, width)) continue;
        path.moveTo(this.toX(column - 0.5), y);
        while (column + 1 < width && isContact(codes, row * width + column + 1, width)) column++;
        path.lineTo(this.toX(column + 0.5), y);
      }
    }
    for (let column = 1; column < width; column++) {
      const x = this.toX(column - 0.5);
      for (let row = 0; row < height; row++) {
        if (!isContact(codes, row * width + column, 1)) continue;
        path.moveTo(x, this.toY(row - 0.5));
        while (row + 1 < height && isContact(codes, (row + 1) * width + column, 1)) row++;
        path.lineTo(x, this.toY(row + 0.5));
      }
    }
    return path;
  }

  // Training lines and suggested lines on the map.
  drawLines(context) {
    for (const [kind, { line, dash }] of Object.entries(MARKS)) {
      const path = new Path2D();
      for (const number of description.lines[kind].crossline) {
        const x = this.toX(positionOf(axes[1].numbers, number));
        path.moveTo(x, this.toY(-0.5));
        path.lineTo(x, this.toY(this.size[1] - 0.5));
      }
      for (const number of description.lines[kind].inline) {
        const y = this.toY(positionOf(axes[0].numbers, number));
        path.moveTo(this.toX(-0.5), y);
        path.lineTo(this.toX(this.size[0] - 0.5), y);
      }
      const lines = description.lines[kind];
      const isDense = 6 * lines.crossline.length > this.frame.width
        || 6 * lines.inline.length > this.frame.height;
      context.save();
      context.setLineDash(dash);
      if (isDense) context.globalAlpha = 0.25; // they would hide the map
      strokeTwice(context, path, line, isDense ? line : "#000000", 1.6);
      context.restore();
    }
  }

  // Arrows above a section, where such lines cross it.
  drawArrows(context) {
    const direction = ["inline", "crossline"][this.across];
    for (const [kind, { line }] of Object.entries(MARKS)) {
      context.fillStyle = line;
      context.strokeStyle = "#000000";
      context.lineWidth = 0.8;
      for (const number of description.lines[kind][direction]) {
        const x = this.toX(positionOf(axes[this.across].numbers, number));
        context.beginPath();
        context.moveTo(x, this.frame.y);
        context.lineTo(x - 4, this.frame.y - 6);
        context.lineTo(x + 4, this.frame.y - 6);
        context.closePath();
        context.fill();
        context.stroke();
      }
    }
  }

  // An arrow in the corner that the axes leave free.
  drawNorth(context) {
    const [x, y] = [20, 19];
    context.fillStyle = cssColor("--faint");
    context.save();
    context.translate(x, y);
    context.rotate(this.north);
    context.fill(new Path2D("M0-8 5 7 0 4-5 7Z"));
    context.restore();
    context.font = "11px system-ui, sans-serif";
    [context.textAlign, context.textBaseline] = ["center", "middle"];
    context.fillText("N", x + 15 * Math.sin(this.north), y - 15 * Math.cos(this.north));
  }

  drawCross(context, positions) {
    const { x, y, width, height } = this.frame;
    const path = new Path2D();
    const [column, row] = [this.toX(positions[this.across]), this.toY(positions[this.down])];
    path.moveTo(column, y);
    path.lineTo(column, y + height);
    path.moveTo(x, row);
    path.lineTo(x + width, row);
    strokeTwice(context, path, "#ffffffcc", "#00000088", 1);
  }

  drawAxes(context) {
    const { x, y, width, height } = this.frame;
    context.strokeStyle = context.fillStyle = cssColor("--faint");
    context.lineWidth = 1;
    context.strokeRect(x - 0.5, y - 0.5, width + 1, height + 1);
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "bottom";
    for (const [number, position] of ticks(axes[this.across].numbers, width / 62)) {
      const at = Math.round(this.toX(position)) - 0.5;
      context.fillRect(at, y - 5, 1, 5);
      context.fillText(String(number), at, y - 6);
    }
    context.fillText(nameWithUnit(axes[this.across]), x + width / 2, y - 20);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const [number, position] of ticks(axes[this.down].numbers, height / 34)) {
      const at = Math.round(this.toY(position)) - 0.5;
      context.fillRect(x - 5, at, 5, 1);
      context.fillText(String(number), x - 8, at);
    }
    context.save();
    context.translate(12, y + height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(nameWithUnit(axes[this.down]), 0, 0);
    context.restore();
  }
}

function isContact(codes, k, step) {
  return codes[k] !== codes[k - step] && codes[k] !== 0 && codes[k - step] !== 0;
}

function strokeTwice(context, path, line, casing, width) {
  context.strokeStyle = casing;
  context.lineWidth = width + 1.6;
  context.stroke(path);
  context.strokeStyle = line;
  context.lineWidth = width;
  context.stroke(path);
}

function cssColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

function nameWithUnit(axis) {
  return axis.unit ? `${axis.name} (${axis.unit})` : axis.name;
}

// Round numbers of an axis, at most so many, with their positions.
function ticks(numbers, most) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const step = niceStep((high - low) / Math.max(1, most), numbers.every(Number.isInteger));
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) {
    const number = +(k * step).toPrecision(9);
    found.push([number, positionOf(numbers, number)]);
  }
  return found.length ? found : [[numbers[0], 0]];
}

function niceStep(least, isWhole) {
  if (!(least > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((own) => own >= least);
  return isWhole ? Math.max(1, step) : step;
}
