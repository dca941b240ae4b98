// What the page does for a classifier: it lists the best classes.

import {evaluationImage} from "./images.js";
import {showScores} from "./scores.js";

const TOP = 5;

export function start() {}

export function prepare(image, {size, cropFraction}) {
  return evaluationImage(image, size, cropFraction);
}

export function show({probabilities}, image, {labels}) {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const best = order.slice(0, TOP);
  showScores(best.map((index) => ({label: labels[index], share: probabilities[index]})));
}
