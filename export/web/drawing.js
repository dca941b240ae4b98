// Drawings prepared as the data set's digits were: training/datasets/digits/drawing.py, in the
// browser. It says why; both give the same pixels.

const SIDE = 32; // of the bitmap, in pixels
const WIDTH = 20; // of a digit in it; its height is the whole side
const BLOCK = 4;
const LEAST = 256; // pixels of ink
const MOST = 412;
const STRETCH = 2; // how much more one direction may be scaled than the other
const EDGE = 2; // rows at the top and at the bottom that say little about the slant

const indices = (count) => [...Array(count).keys()];
const sum = (box) => box.flat().reduce((total, pixel) => total + pixel, 0);

// Prepares pixels of RGB in 0..255 (images.js), bright ink on black, as an image of 8×8 of them.
export function prepareDrawing({width, height, pixels}) {
  const ink = indices(height).map((y) =>
    indices(width).map((x) => Number(pixels[3 * (y * width + x)] >= 128)),
  );
  return count(straighten(evenOut(fillBox(ink))));
}

// Crops rows of 0 and 1 to the ink and scales it to the middle of the box, nearest pixels.
function fillBox(ink) {
  const box = indices(SIDE).map(() => Array(SIDE).fill(0));
  if (!sum(ink)) return box;
  const [top, height] = extent(ink.map(sumOfRow));
  const [left, width] = extent(ink[0].map((_, x) => ink.some((row) => row[x])));
  const vertical = SIDE / height;
  const horizontal = WIDTH / width;
  const rows = sources(top, height, Math.min(vertical, STRETCH * horizontal));
  const columns = sources(left, width, Math.min(horizontal, STRETCH * vertical));
  const y = Math.floor((SIDE - rows.length) / 2);
  const x = Math.floor((SIDE - columns.length) / 2);
  rows.forEach((row, i) => columns.forEach((column, j) => (box[y + i][x + j] = ink[row][column])));
  return box;
}

// Thins or thickens strokes, pixel by pixel, until there is as much ink as in the data set.
function evenOut(box) {
  const thin = sum(box) > MOST;
  while (thin ? sum(box) > MOST : sum(box) && sum(box) < LEAST) {
    const least = thin ? 5 : 1; // of a pixel and its four neighbors; there is no ink outside
    box = box.map((row, y) =>
      row.map((pixel, x) => {
        const around = [box[y - 1]?.[x], box[y + 1]?.[x], row[x - 1], row[x + 1]];
        return Number(pixel + around.filter(Boolean).length >= least);
      }),
    );
  }
  return box;
}

// Shifts rows so that the leftmost ink near the top is above that near the bottom.
function straighten(box) {
  if (!sum(box)) return box;
  const [top, height] = extent(box.map(sumOfRow));
  const first = top + EDGE;
  const last = top + height - 1 - EDGE;
  if (first >= last || !sumOfRow(box[first]) || !sumOfRow(box[last])) return box;
  const slope = (box[first].indexOf(1) - box[last].indexOf(1)) / (last - first);
  return box.map((row, y) => {
    const shift = Math.floor((y - SIDE / 2) * slope + 0.5);
    return row.map((_, x) => row[x - shift] ?? 0);
  });
}

// Counts the ink in blocks and scales the counts to 0..255.
function count(box) {
  const side = SIDE / BLOCK;
  const pixels = new Float32Array(side * side * 3);
  box.forEach((row, y) =>
    row.forEach((pixel, x) => {
      const place = 3 * (Math.floor(y / BLOCK) * side + Math.floor(x / BLOCK));
      for (let c = 0; c < 3; c++) pixels[place + c] += pixel;
    }),
  );
  // To the nearest integer; of halves there is only 127.5, which Python rounds up as well.
  return {width: side, height: side, pixels: pixels.map((n) => Math.round((n * 255) / BLOCK ** 2))};
}

function sumOfRow(row) {
  return row.reduce((total, pixel) => total + pixel, 0);
}

// First index and number of those from the first to the last that is not 0.
function extent(used) {
  const first = used.findIndex(Boolean);
  return [first, used.findLastIndex(Boolean) - first + 1];
}

// Indices of the pixels nearest to those of a range that is scaled.
function sources(begin, size, scale) {
  const scaled = Math.max(1, Math.floor(size * scale + 0.5));
  return indices(scaled).map((i) => begin + Math.floor(((2 * i + 1) * size) / (2 * scaled)));
}
