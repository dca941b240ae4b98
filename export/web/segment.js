// What the page does for a segmenter: it draws the class of each pixel over the image, and lists
// the classes that occur.

import {fitImage, fittedSize} from "./images.js";
import {palette} from "./palette.js";
import {showScores} from "./scores.js";

const BACKGROUND = "background"; // class 0 of this name is left as the image has it
const LARGEST = 1024; // pixels of the map's longer side

export function start() {
  const opacity = document.getElementById("opacity");
  const map = document.getElementById("map");
  const set = () => (map.style.opacity = opacity.value / 100);
  opacity.addEventListener("input", set);
  opacity.parentElement.hidden = map.hidden = false;
  set();
}

export function prepare(image, {size}) {
  return fitImage(image, size);
}

export function show({classes}, image, {labels, size}) {
  const region = fittedSize(image, size);
  const colors = palette(labels.length);
  const counts = new Array(labels.length).fill(0);
  const pixels = new ImageData(region.width, region.height);
  for (let y = 0; y < region.height; y++) {
    for (let x = 0; x < region.width; x++) {
      const found = classes[y * size + x];
      counts[found]++;
      if (found === 0 && labels[0] === BACKGROUND) continue;
      pixels.data.set([...colors[found], 255], 4 * (y * region.width + x));
    }
  }
  draw(pixels, image);
  const order = [...counts.keys()].filter((index) => counts[index]);
  order.sort((a, b) => counts[b] - counts[a]);
  const total = region.width * region.height;
  const row = (index) => ({
    label: labels[index],
    share: counts[index] / total,
    color: colors[index],
  });
  showScores(order.map(row));
}

// Draws the pixels on the map, in the proportions of the image, which theirs are near.
function draw(pixels, image) {
  const map = document.getElementById("map");
  const scale = Math.min(1, LARGEST / Math.max(image.width, image.height));
  map.width = Math.max(1, Math.round(image.width * scale));
  map.height = Math.max(1, Math.round(image.height * scale));
  const small = new OffscreenCanvas(pixels.width, pixels.height);
  small.getContext("2d").putImageData(pixels, 0, 0);
  const context = map.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, map.width, map.height);
}
