// Images as networks get them: common/preparation.py, in the browser.

const MEAN = [123.675, 116.28, 103.53]; // ImageNet's

// Pixels of an ImageData as rows of RGB in 0..255; transparency is ignored.
export function toImage({width, height, data}) {
  const pixels = new Float32Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) pixels[3 * i + c] = data[4 * i + c];
  }
  return {width, height, pixels};
}

// To the nearest integer, and halves to the even one, as TensorFlow does.
function round(x) {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}

// Scales the short side to size / cropFraction and crops the center.
export function evaluationImage(image, size, cropFraction) {
  const short = round(size / cropFraction);
  const scale = short / Math.min(image.width, image.height);
  const width = Math.max(short, round(image.width * scale));
  const height = Math.max(short, round(image.height * scale));
  return crop(resize(image, width, height), size);
}

// Width and height of an image whose longer side is scaled to a size.
export function fittedSize({width, height}, size) {
  const longest = Math.max(width, height);
  const fit = (side) => Math.max(1, round((side * size) / longest));
  return {width: fit(width), height: fit(height)};
}

// Scales the longer side to a size, and fills up the square on the right or below.
export function fitImage(image, size) {
  const {width, height} = fittedSize(image, size);
  const scaled = resize(image, width, height);
  const pixels = new Float32Array(3 * size * size).map((_, i) => MEAN[i % 3]);
  for (let y = 0; y < height; y++) {
    pixels.set(scaled.pixels.subarray(3 * y * width, 3 * (y + 1) * width), 3 * y * size);
  }
  return {width: size, height: size, pixels};
}

function resize(image, width, height) {
  const columns = taps(image.width, width);
  const rows = taps(image.height, height);
  const wide = new Float32Array(width * image.height * 3);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < width; x++) {
      for (const [from, weight] of columns[x]) {
        for (let c = 0; c < 3; c++) {
          wide[3 * (y * width + x) + c] += weight * image.pixels[3 * (y * image.width + from) + c];
        }
      }
    }
  }
  const pixels = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (const [from, weight] of rows[y]) {
      for (let i = 0; i < 3 * width; i++) {
        pixels[3 * y * width + i] += weight * wide[3 * from * width + i];
      }
    }
  }
  return {width, height, pixels};
}

// Bilinear, wider than a pixel when it shrinks (antialiasing): for each pixel, sources and weights.
function taps(source, target) {
  const radius = Math.max(source / target, 1);
  return Array.from({length: target}, (_, i) => {
    const center = ((i + 0.5) * source) / target;
    const first = Math.max(0, Math.floor(center - radius));
    const last = Math.min(source - 1, Math.ceil(center + radius));
    const found = [];
    let sum = 0;
    for (let from = first; from <= last; from++) {
      const weight = Math.max(0, 1 - Math.abs(from + 0.5 - center) / radius);
      if (weight > 0) found.push([from, weight]);
      sum += weight;
    }
    return found.map(([from, weight]) => [from, weight / sum]);
  });
}

function crop({width, height, pixels}, size) {
  const left = Math.floor((width - size) / 2);
  const top = Math.floor((height - size) / 2);
  const cut = new Float32Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const start = 3 * ((y + top) * width + left);
    cut.set(pixels.subarray(start, start + 3 * size), 3 * y * size);
  }
  return {width: size, height: size, pixels: cut};
}
