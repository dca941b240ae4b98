// What the page does for a detector: it draws objects over the image, and lists them.

import {fitImage, fittedSize} from "./images.js";
import {drawObjects, pasteMask} from "./instances.js";
import {palette} from "./palette.js";
import {showScores} from "./scores.js";

const element = (id) => document.getElementById(id);

let again = () => {}; // shows the last objects once more

export function start() {
  const threshold = element("threshold");
  threshold.addEventListener("input", () => again());
  window.addEventListener("resize", () => again());
  threshold.parentElement.hidden = element("map").hidden = false;
}

export function prepare(image, {size}) {
  again = () => {}; // these are objects of another image
  return fitImage(image, size);
}

export function show(outputs, image, about) {
  again = () => showObjects(outputs, image, about);
  again();
}

function showObjects(outputs, image, {labels, size}) {
  const {value} = element("threshold");
  element("least").textContent = `${value} %`;
  const context = clearMap(image);
  const found = objectsIn(outputs, value / 100, fittedSize(image, size), context.canvas);
  const colors = palette(labels.length + 1).slice(1); // black is no color here
  const objects = found.map(({index, ...object}) => ({
    ...object,
    label: labels[index],
    color: colors[index],
  }));
  drawObjects(context, objects, devicePixelRatio);
  showScores(objects.map(({label, score, color}) => ({label, share: score, color})));
  if (!objects.length) element("scores").textContent = "No objects";
}

// The objects from a score on, {index, score, box, mask}, in pixels of the map. The image fills a
// region of what the network got; what lies beyond it is no object.
function objectsIn({boxes, scores, classes, count, masks}, threshold, region, map) {
  const scale = [map.width / region.width, map.height / region.height];
  const cells = masks ? masks.length / scores.length : 0;
  const objects = [];
  for (let i = 0; i < count[0] && scores[i] >= threshold; i++) {
    const box = [0, 1, 2, 3].map((side) => boxes[4 * i + side] * scale[side % 2]);
    if (box[0] >= map.width || box[1] >= map.height) continue;
    const mask = masks?.subarray(cells * i, cells * (i + 1));
    objects.push({
      index: classes[i],
      score: scores[i],
      box,
      mask: mask && pasteMask(mask, Math.sqrt(cells), box, map),
    });
  }
  return objects;
}

// Clears the map and gives it the proportions of an image, and as many pixels as the screen has.
function clearMap(image) {
  const map = element("map");
  const scale = (map.clientWidth * devicePixelRatio) / Math.max(image.width, image.height);
  map.width = Math.max(1, Math.round(image.width * scale));
  map.height = Math.max(1, Math.round(image.height * scale));
  return map.getContext("2d");
}
