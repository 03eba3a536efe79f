// Maps of the words over the pictures: where the step under the cursor looked for the word that is pointed at or chosen.
const MAP_COLOURS = [[0, 0, 4], [66, 10, 104], [147, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]];
const MAP_OPACITY = 0.68;

// One step's maps: a byte a place, images x words x height x width, each map from 0 to its own peak.
class StepMaps {
  constructor({ words, size: [height, width], peaks, maps, text_share: share }) {
    Object.assign(this, { width, height, peaks, share, maps });
    const seen = new Map();
    this.keys = words.map((word) => {
      const name = word.toLowerCase();
      seen.set(name, (seen.get(name) || 0) + 1);
      return `${name} ${seen.get(name)}`; // the same word a second time is another one
    });
    this.words = words;
  }

  // The map of a word for an image, or null; decoded when it is asked for the first time.
  map(key, image) {
    const place = this.keys.indexOf(key);
    if (place < 0 || !this.peaks[image]) return null;
    if (typeof this.maps === "string") this.maps = Uint8Array.from(atob(this.maps), (byte) => byte.charCodeAt(0));
    const pixels = this.width * this.height;
    const start = (image * this.keys.length + place) * pixels;
    return { values: this.maps.subarray(start, start + pixels), peak: this.peaks[image][place] };
  }
}

class WordMaps {
  constructor(root, lanes, timeline, look) {
    Object.assign(this, { lanes, timeline, look, pinned: null, pointed: null, drawn: "" });
    this.root = root.querySelector(".word-maps");
    this.chips = this.root.querySelector(".map-chips");
    this.text = this.root.querySelector(".map-text");
    this.ramp = this.root.querySelector(".map-ramp");
    this.ramp.style.background = `linear-gradient(to right, ${MAP_COLOURS.map((colour) => `rgb(${colour})`).join(", ")})`;
    this.overlays = lanes.flatMap((lane) => [
      this.overlay(lane, lane.picture, () => lane),
      this.overlay(lane, lane.keptPicture, () => lane.kept),
    ]);
    this.redraw = oncePerFrame(() => this.paint());
    timeline.watchers.push(this.redraw);
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.key) return;
      Object.assign(this, { pinned: null, pointed: null });
      this.redraw();
    });
    document.addEventListener("change", (event) => event.target.closest("#attention") && this.redraw());
    this.redraw();
  }

  overlay(lane, picture, run) {
    const canvas = document.createElement("canvas");
    canvas.className = "heat";
    canvas.hidden = true;
    canvas.setAttribute("aria-hidden", "true");
    picture.root.insertBefore(canvas, picture.hint);
    return { lane, picture, run, canvas };
  }

  get key() {
    return this.pointed || this.pinned;
  }

  // The words of all stages of this run that have maps: one that has its own prompt adds its own.
  words() {
    const found = new Map();
    for (const lane of this.lanes) {
      const frame = lane.frames.find((each) => each.attention);
      if (frame) frame.attention.keys.forEach((key, i) => found.has(key) || found.set(key, frame.attention.words[i]));
    }
    return found;
  }

  paint() {
    const words = this.words();
    const wanted = document.querySelector("#attention input");
    this.root.hidden = !words.size && !(wanted && wanted.checked);
    this.fill(words);
    for (const overlay of this.overlays) this.paintOverlay(overlay);
    write(this.text, this.legend(words));
    this.ramp.hidden = !(this.key && words.has(this.key));
  }

  fill(words) {
    const drawn = [...words.keys()].join("\n");
    if (drawn !== this.drawn) {
      if (!words.has(this.pinned)) this.pinned = null;
      if (!words.has(this.pointed)) this.pointed = null;
      this.chips.replaceChildren(...[...words].map(([key, word]) => this.chip(key, word)));
    }
    this.drawn = drawn;
    for (const chip of this.chips.children) chip.setAttribute("aria-pressed", String(chip.dataset.key === this.pinned));
  }

  chip(key, word) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.key = key;
    button.textContent = word;
    const point = (to) => () => {
      this.pointed = to;
      this.redraw();
    };
    button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && point(key)());
    button.addEventListener("pointerleave", point(null));
    button.addEventListener("focus", () => button.matches(":focus-visible") && point(key)());
    button.addEventListener("blur", point(null));
    button.addEventListener("click", () => {
      const off = this.pinned === key;
      Object.assign(this, { pinned: off ? null : key, pointed: null });
      this.redraw();
    });
    return button;
  }

  legend(words) {
    if (!words.size) return "The maps come with the next run: press Generate.";
    if (!this.key) return "Point at a word, or choose it, to see where the model looks for it.";
    const { here } = this.timeline;
    const step = here && here.frame.attention;
    const map = step && step.map(this.key, this.image(step));
    const word = `“${words.get(this.key)}”`;
    if (!map) return `${word} has no map at this step.`;
    const [peak, share] = [map.peak, step.share[this.look.image] ?? step.share[0]].map((value) => Math.round(100 * value));
    const where = `${here.lane.stage.size} pixels, step ${here.frame.step}`;
    return `${word} at ${where}: dark is no attention, bright is ${peak} % of a place’s attention; all of the text together has ${share} %.`;
  }

  // The image whose map can be shown: the chosen one, or the first where the others' were too many to send.
  image(step) {
    return step.peaks[this.look.image] ? this.look.image : 0;
  }

  paintOverlay({ picture, run, lane, canvas }) {
    const shown = run();
    const at = !shown ? -1 : shown === lane ? lane.at : keptAt(lane);
    const frame = shown && shown.frames[at];
    const step = this.key && frame && frame.attention;
    const grid = this.look.grid && shown && shown.numImages > 1;
    const columns = grid ? picture.columns : 1;
    const images = !step ? [] : grid ? step.peaks.map((_, image) => image) : [this.image(step)];
    const maps = images.map((image) => step.map(this.key, image)).filter(Boolean);
    canvas.hidden = !maps.length;
    const layout = `${images} in ${columns}`; // the first image may be the only one with a map, in a grid and alone
    const painted = maps.length ? `${this.key} ${frame.step}` : "";
    if (canvas.dataset.painted === painted && canvas.maps === step && canvas.layout === layout) return;
    Object.assign(canvas, { maps: step, layout });
    if (maps.length) paintMaps(canvas, maps, step, columns);
    canvas.dataset.painted = painted;
  }
}

// The frame of a kept run that stands beside the lane's.
function keptAt(lane) {
  const frame = lane.frames[lane.at];
  return frame ? sameMoment(lane.kept, frame.step, lane.numSteps) : -1;
}

function paintMaps(canvas, maps, { width, height }, columns) {
  canvas.width = width * columns;
  canvas.height = height * columns;
  const context = canvas.getContext("2d");
  maps.forEach(({ values }, place) => {
    const pixels = context.createImageData(width, height);
    values.forEach((value, i) => pixels.data.set([...mapColour(value), 255 * MAP_OPACITY], 4 * i));
    context.putImageData(pixels, (place % columns) * width, Math.floor(place / columns) * height);
  });
}

// The colour of a byte, between two of the ramp's.
function mapColour(value) {
  const place = (value / 255) * (MAP_COLOURS.length - 1);
  const from = MAP_COLOURS[Math.floor(place)];
  const to = MAP_COLOURS[Math.ceil(place)];
  return from.map((channel, i) => channel + (to[i] - channel) * (place % 1));
}
