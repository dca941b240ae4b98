import {loadAndCompile, loadLiteRt, Tensor} from "@litertjs/core";
import {prepareDrawing} from "./drawing.js";
import {toImage} from "./images.js";

const PEN = 20; // pixels of the pad, of 256

const element = (id) => document.getElementById(id);

async function main() {
  const [about] = await Promise.all([
    fetch("model.json").then((answer) => answer.json()),
    loadLiteRt(new URL("node_modules/@litertjs/core/wasm/", location.href).href, {
      threads: self.crossOriginIsolated,
    }),
  ]);
  const model = await loadAndCompile("model.tflite", {accelerator: "wasm"});
  element("name").textContent = about.name;
  const threads = self.crossOriginIsolated ? "threads" : "one thread";
  element("status").textContent =
    `${about.labels.length} classes, ${about.size}×${about.size} pixels, ` +
    `${about.megabytes.toFixed(1)} MB, WebAssembly, ${threads}`;
  // What a task prepares and shows is in a module of its name.
  const task = await import(`./${about.task}.js`);
  document.body.dataset.task = about.task;
  task.start();
  const ask = asker(model, task, about);
  if (about.drawn) usePad(ask);
  else useFiles(ask);
  document.body.dataset.ready = "true";
}

// A function that runs the network on an image and shows what it says; the last call wins.
function asker(model, task, about) {
  let waiting = null;
  let running = false;

  async function run(image) {
    const {pixels} = task.prepare(image, about);
    const start = performance.now();
    const input = new Tensor(pixels, [1, about.size, about.size, 3]);
    const outputs = await model.run({[about.input]: input});
    const numbers = {};
    for (const [name, output] of Object.entries(outputs)) {
      numbers[name] = (await output.data()).slice();
      output.delete();
    }
    const milliseconds = performance.now() - start;
    input.delete();
    task.show(numbers, image, about);
    element("latency").textContent = `${milliseconds.toFixed(1)} ms`;
    window.lastRun = {pixels, ...numbers}; // for tests, and for the curious
  }

  return async function ask(image) {
    waiting = image;
    if (running) return;
    running = true;
    try {
      while (waiting) {
        const next = waiting;
        waiting = null;
        await run(next);
      }
    } catch (error) {
      element("status").textContent = `The network failed: ${error.message}`;
    } finally {
      running = false;
    }
  };
}

function usePad(ask) {
  const pad = element("pad");
  const context = pad.getContext("2d", {willReadFrequently: true});
  element("drop").hidden = true;
  pad.hidden = element("clear").hidden = element("invitation").hidden = false;

  const clear = () => {
    context.fillStyle = "#000";
    context.fillRect(0, 0, pad.width, pad.height);
    element("scores").replaceChildren();
    element("latency").textContent = "";
  };
  const place = (event) => {
    const box = pad.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * pad.width) / box.width,
      ((event.clientY - box.top) * pad.height) / box.height,
    ];
  };
  let last = null;
  const draw = (event) => {
    if (!last) return;
    const next = place(event);
    context.strokeStyle = "#fff";
    context.lineWidth = PEN;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...last);
    context.lineTo(...next);
    context.stroke();
    last = next;
    ask(prepareDrawing(toImage(context.getImageData(0, 0, pad.width, pad.height))));
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    last = place(event);
    draw(event);
  });
  pad.addEventListener("pointermove", draw);
  for (const end of ["pointerup", "pointercancel"]) {
    pad.addEventListener(end, () => (last = null));
  }
  element("clear").addEventListener("click", clear);
  clear();
}

function useFiles(ask) {
  const drop = element("drop");
  const open = async (file) => {
    if (!file) return;
    try {
      const bitmap = await createImageBitmap(file);
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext("2d");
      context.drawImage(bitmap, 0, 0);
      element("picture").src = URL.createObjectURL(file);
      element("map").width = element("map").width; // the map and the scores are those of another
      element("scores").replaceChildren();
      element("picture").hidden = false;
      element("hint").hidden = true;
      ask(toImage(context.getImageData(0, 0, bitmap.width, bitmap.height)));
    } catch {
      element("status").textContent = `${file.name} is not an image that this browser reads`;
    }
  };
  element("file").addEventListener("change", (event) => open(event.target.files[0]));
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    open(event.dataTransfer.files[0]);
  });
}

main().catch((error) => {
  element("status").textContent = `The network could not be loaded: ${error.message}`;
  throw error;
});
