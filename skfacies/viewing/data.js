// Data of the page: what is known of the cube, and the bytes of its layers.
"use strict";

const description = JSON.parse(document.getElementById("description").textContent);
const axes = description.axes; // inline, crossline, sample: name, unit, numbers
const layers = description.layers;
const [nInlines, nCrosslines, nSamples] = axes.map((axis) => axis.numbers.length);

for (const layer of layers) {
  layer.nSamples = layer.isMap ? 1 : nSamples;
  layer.codes = new Uint8Array(nInlines * nCrosslines * layer.nSamples); // 0: no value
}

async function inflate(text) {
  const bytes = Uint8Array.fromBase64
    ? Uint8Array.fromBase64(text)
    : Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Fills in the inlines of one <script data-layer>, then empties it to save memory.
async function loadChunk(element) {
  const layer = layers[element.dataset.layer];
  const codes = await inflate(element.textContent);
  element.remove();
  for (let k = layer.nSamples; k < codes.length; k++) codes[k] += codes[k - layer.nSamples];
  if (layer.table) for (let k = 0; k < codes.length; k++) codes[k] = layer.table[codes[k]];
  layer.codes.set(codes, element.dataset.first * nCrosslines * layer.nSamples);
}

// Loads what the first picture of an inline needs, shows it, and loads the rest.
async function loadAll(inline, show) {
  const chunks = [...document.querySelectorAll("script[data-layer]")];
  const first = layers.map((_, number) =>
    chunks.findLast((chunk) => +chunk.dataset.layer === number && chunk.dataset.first <= inline));
  await Promise.all(first.map(loadChunk));
  show("firstPicture");
  for (const chunk of chunks.filter((chunk) => !first.includes(chunk))) {
    await loadChunk(chunk);
  }
  show("allData");
}

// The number that a byte stands for; null where there is none.
function valueOf(layer, code) {
  if (code === 0) return null;
  return layer.low + ((code - 1) * (layer.high - layer.low)) / (layer.nCodes - 1);
}

function codeAt(layer, [inline, crossline, sample]) {
  const trace = inline * nCrosslines + crossline;
  return layer.codes[trace * layer.nSamples + (layer.isMap ? 0 : sample)];
}

// Position, with a fraction, of a number among the numbers of an axis, which rise or fall.
function positionOf(numbers, number) {
  const rises = numbers.length < 2 || numbers[numbers.length - 1] > numbers[0];
  let next = numbers.findIndex((own) => (rises ? own >= number : own <= number));
  if (next < 0) next = numbers.length - 1;
  if (next === 0 || numbers[next] === number) return next;
  return next - (numbers[next] - number) / (numbers[next] - numbers[next - 1]);
}

function nearest(numbers, number) {
  const position = positionOf(numbers, number);
  return Math.max(0, Math.min(numbers.length - 1, Math.round(position)));
}
