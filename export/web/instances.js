// Objects drawn over their image: common/instances.py, in the browser.

const INSIDE = 0.5; // probability from which a pixel is an object's
const BLEND = 0.45; // share of the color where a mask lies over the image
const CASING = "#fff"; // color around the lines of a box
const LETTERS = 12; // size of a name's letters, in pixels of CSS
const GAP = 4; // beside a name

// A mask in its box as a mask of pixels: bilinear between the middles of its cells.
// Takes the probabilities of side² cells, the box [x1, y1, x2, y2] and {width, height} of the image
// in pixels. Gives the part of the image that the box touches, {left, top, width, height}, and
// `inside`, whether each pixel of this part is the object's.
export function pasteMask(mask, side, [x1, y1, x2, y2], size) {
  if (!(x2 > x1 && y2 > y1)) return {left: 0, top: 0, width: 0, height: 0, inside: []};
  const columns = line(x1, x2, size.width, side);
  const rows = line(y1, y2, size.height, side);
  const inside = [];
  for (const down of rows.weights) {
    for (const right of columns.weights) {
      let value = 0;
      for (const [row, share] of down) {
        for (const [column, part] of right) value += share * part * mask[row * side + column];
      }
      inside.push(value >= INSIDE);
    }
  }
  const [width, height] = [columns.weights.length, rows.weights.length];
  return {left: columns.first, top: rows.first, width, height, inside};
}

// The first of the pixels of a line that a box touches, and for each of them [cell, weight]s.
function line(begin, end, size, cells) {
  const first = Math.max(Math.floor(begin), 0);
  const length = Math.max(Math.min(Math.ceil(end), size) - first, 0);
  const weights = Array.from({length}, (_, i) => {
    const place = ((first + i + 0.5 - begin) / (end - begin)) * cells - 0.5;
    return [Math.floor(place), Math.floor(place) + 1]
      .filter((cell) => cell >= 0 && cell < cells)
      .map((cell) => [cell, Math.max(1 - Math.abs(place - cell), 0)]);
  });
  return {first, weights};
}

// Finds places for names, {width, height} each, at boxes [x1, y1, x2, y2] of an image {width,
// height}, where no name hides another: [x, y] each, or null for a name that has no room.
export function placeNames(names, boxes, size) {
  const taken = [];
  return names.map(({width, height}, index) => {
    const [x1, y1, x2, y2] = boxes[index];
    const corners = [y1 - height, y1, y2, y2 - height].flatMap((y) =>
      [x1, x2 - width].map((x) => [x, y]),
    );
    const within = ([x, y]) => [
      Math.max(Math.min(x, size.width - width), 0),
      Math.max(Math.min(y, size.height - height), 0),
    ];
    const free = ([x, y]) =>
      taken.every(
        ([left, top, right, bottom]) =>
          x + width <= left || x >= right || y + height <= top || y >= bottom,
      );
    const place = [...corners, [x2, y1], [x1 - width, y1]].map(within).find(free);
    if (!place) return null;
    taken.push([...place, place[0] + width, place[1] + height]);
    return place;
  });
}

// Draws objects {box, label, score, color, mask} on a canvas, the first one on top. Boxes are in
// pixels of the canvas, `unit` of which are one of CSS; `mask` is what `pasteMask` gives, if any.
export function drawObjects(context, objects, unit) {
  const below = objects.toReversed();
  for (const {mask, color} of below) {
    if (mask?.inside.length) drawMask(context, mask, color, Math.round(unit));
  }
  const drawn = below.map(({box, color}) => [shownBox(box, context.canvas, unit), color]);
  for (const [[x1, y1, x2, y2], color] of drawn) {
    for (const [width, style] of [
      [4, CASING],
      [2, css(color)],
    ]) {
      context.lineWidth = width * unit;
      context.strokeStyle = style;
      context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    }
  }
  drawNames(context, objects, unit);
}

const css = (color) => `rgb(${color.join(" ")})`;

// The middles of the lines of a box, where all of it is on the canvas.
function shownBox([x1, y1, x2, y2], {width, height}, unit) {
  const within = (place, size) => Math.max(Math.min(place, size - unit), unit);
  return [within(x1, width), within(y1, height), within(x2, width), within(y2, height)];
}

// Draws a mask with an edge of some pixels in full color.
function drawMask(context, {left, top, width, height, inside}, color, edge) {
  const pixels = new ImageData(width, height);
  const at = (x, y) => x >= 0 && x < width && y >= 0 && y < height && inside[y * width + x];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!at(x, y)) continue;
      const deep = at(x - edge, y) && at(x + edge, y) && at(x, y - edge) && at(x, y + edge);
      const place = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) pixels.data[place + c] = color[c];
      pixels.data[place + 3] = 255 * (deep ? BLEND : 1);
    }
  }
  const layer = new OffscreenCanvas(width, height);
  layer.getContext("2d").putImageData(pixels, 0, 0);
  context.drawImage(layer, left, top);
}

function drawNames(context, objects, unit) {
  const {canvas} = context;
  const gap = GAP * unit;
  context.font = `${LETTERS * unit}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const texts = objects.map(
    ({label, score}) =>
      `${shortened(context, label, canvas.width / 2)}: ${Math.round(100 * score)}%`,
  );
  const names = texts.map((text) => ({
    width: context.measureText(text).width + 2 * gap,
    height: LETTERS * unit + gap,
  }));
  const boxes = objects.map(({box}) => shownBox(box, canvas, unit));
  placeNames(names, boxes, canvas).forEach((place, index) => {
    if (!place) return;
    const [{color}, {width, height}] = [objects[index], names[index]];
    context.fillStyle = css(color);
    context.fillRect(...place, width, height);
    const dark = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] < 128;
    context.fillStyle = dark ? "#fff" : "#000";
    context.fillText(texts[index], place[0] + gap, place[1] + height / 2);
  });
}

// A name of a width at most, with … for its end.
function shortened(context, name, width) {
  if (context.measureText(name).width <= width) return name;
  while (name && context.measureText(`${name}…`).width > width) name = name.slice(0, -1);
  return `${name}…`;
}
