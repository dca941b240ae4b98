// PASCAL VOC's colors of classes, [red, green, blue] each: common/overlays.py.
export function palette(count) {
  return Array.from({length: count}, (_, index) => {
    const color = [0, 0, 0];
    for (let bit = 0; bit < 24; bit++) {
      color[bit % 3] |= ((index >> bit) & 1) << (7 - Math.floor(bit / 3));
    }
    return color;
  });
}
