// Tables from bytes to colors, as four bytes each: red, green, blue, opacity.

const SCALES = {
  gray: ["#000000", "#ffffff"],
  redblue: ["#053061", "#2a71b2", "#6bacd1", "#c2ddec", "#f7f6f6", "#fbccb4", "#e48066", "#ba2832",
    "#67001f"],
  doubt: ["#ffffcc", "#ffeda0", "#fed976", "#feb24c", "#fd8c3c", "#fc4d2a", "#e2191c", "#bb0026",
    "#800026"],
  // On red and blue, no third color is safe for all eyes: doubt darkens.
  darkness: ["#ffffff", "#000000"],
};

function rgb(hex) {
  return [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
}

// Color of a scale at a fraction from 0 to 1.
function colorOf(scale, fraction) {
  const stops = SCALES[scale].map(rgb);
  const place = Math.max(0, Math.min(1, fraction)) * (stops.length - 1);
  const left = Math.min(Math.floor(place), stops.length - 2);
  return stops[left].map((low, k) => low + (place - left) * (stops[left + 1][k] - low));
}

function makeTable(colorOfCode) {
  const table = new Uint8ClampedArray(1024);
  for (let code = 1; code < 256; code++) table.set(colorOfCode(code) ?? [0, 0, 0, 0], 4 * code);
  return new Uint32Array(table.buffer);
}

function amplitudeTable(layer, { palette, gain, reverse }) {
  const middle = layer.low < 0 ? 0.5 : 0; // a gain leaves zero where it is
  return makeTable((code) => {
    const fraction = middle + ((code - 1) / (layer.nCodes - 1) - middle) * gain;
    return [...colorOf(palette, reverse ? 1 - fraction : fraction), 255];
  });
}

function doubtScale(palette) {
  return palette === "redblue" ? "darkness" : "doubt";
}

// Amplitudes shine through where doubt is low.
function doubtTable(layer, scale) {
  return makeTable((code) => {
    const fraction = (code - 1) / (layer.nCodes - 1);
    if (scale === "darkness") return [0, 0, 0, 255 * fraction];
    return [...colorOf(scale, fraction), 255 * Math.min(1, 3 * fraction)];
  });
}

function faciesTable(hidden) {
  return makeTable((code) => {
    const facies = description.facies[code - 1];
    return facies && !hidden.has(code) ? [...rgb(facies.color), 255] : null;
  });
}

// A color bar for the page, of the scale as it is drawn.
function gradient(scale, reverse) {
  const stops = [...SCALES[scale]];
  return `linear-gradient(to right, ${(reverse ? stops.reverse() : stops).join(", ")})`;
}
