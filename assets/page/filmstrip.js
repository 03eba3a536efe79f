// The previews of one stage in a row, with a cursor that mouse, touch and keyboard move.
class Filmstrip {
  constructor(root, label, seek) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.cursor = root.querySelector(".cursor");
    this.seek = seek;
    Object.assign(this, { frames: [], numSteps: 0, at: -1, image: 0, width: 0, height: 0, painted: [] });
    root.setAttribute("aria-label", label);
    root.addEventListener("keydown", (event) => {
      const at = this.frames.length ? cursorMove(event, this.at, this.frames.length - 1) : null;
      if (at === null) return;
      this.at = at; // at once: the next key may come before the next paint
      this.seek(at);
    });
    let left = 0;
    const point = (event) => this.seek(this.frames.indexOf(nearest(this.frames, this.stepAt(event.clientX - left))));
    root.addEventListener("pointerdown", (event) => {
      if (!this.frames.length || event.button > 0) return;
      root.setPointerCapture(event.pointerId);
      ({ left } = root.getBoundingClientRect()); // it stays there while the pointer is held
      point(event);
    });
    root.addEventListener("pointermove", (event) => root.hasPointerCapture(event.pointerId) && point(event));
    new ResizeObserver(([{ contentRect }]) => this.resize(contentRect)).observe(root);
  }

  resize({ width, height }) {
    const density = window.devicePixelRatio || 1;
    Object.assign(this, { width, height, density });
    this.layOut();
    this.paint();
  }

  // As many thumbnails as fit; only a change of size or of the number of steps asks for this.
  layOut() {
    this.slots = Math.max(1, Math.min(this.numSteps, Math.floor(this.width / 40)));
    this.filled = this.slots * Math.min(this.height, this.width / this.slots);
    this.canvas.width = Math.max(1, Math.round(this.filled * this.density));
    this.canvas.height = Math.max(1, Math.round(this.height * this.density));
    this.canvas.style.width = `${this.filled}px`;
    this.painted = [];
  }

  // Show `frames` of `numSteps` steps with thumbnails of one image, the cursor on frame `at`, on none where it is -1.
  show(frames, numSteps, at, image) {
    const other = frames !== this.frames || numSteps !== this.numSteps;
    Object.assign(this, { frames, numSteps, at, image });
    if (other && this.width) this.layOut();
    const frame = frames[at];
    const values = {
      "tabindex": frames.length ? 0 : -1,
      "aria-disabled": !frames.length,
      "aria-valuemin": 0,
      "aria-valuemax": frames.length ? numSteps : 0,
      "aria-valuenow": frame ? frame.step : 0,
      "aria-valuetext": frame
        ? `step ${frame.step} of ${numSteps}, log-SNR ${signed(frame.stats.log_snr)}`
        : frames.length ? "not begun where the cursor is" : "no steps yet",
    };
    for (const [name, value] of Object.entries(values)) this.root.setAttribute(name, value);
    this.paint();
  }

  paint() {
    const frame = this.frames[this.at];
    this.cursor.hidden = !frame;
    if (!this.width) return;
    this.paintThumbnails();
    if (!frame) return;
    const cell = this.filled / this.numSteps;
    const mark = Math.max(cell, 8);
    this.cursor.style.width = `${mark}px`;
    this.cursor.style.transform = `translateX(${(frame.step - 0.5) * cell - mark / 2}px)`;
  }

  // Only those that are not there yet.
  paintThumbnails() {
    const context = this.canvas.getContext("2d");
    const slot = this.canvas.width / this.slots;
    context.imageSmoothingEnabled = this.root.dataset.pixelated !== "true";
    for (let i = 0; i < this.slots && this.frames.length; i += 1) {
      const reach = this.numSteps / this.slots / 2 + 0.5;
      const frame = nearest(this.frames, ((i + 0.5) * this.numSteps) / this.slots + 0.5, reach);
      const picture = frame && frame.picture("x_0", this.image);
      if (!picture || this.painted[i] === picture) continue;
      context.drawImage(picture, i * slot, 0, slot - this.density, this.canvas.height);
      this.painted[i] = picture;
    }
  }

  stepAt(x) {
    return Math.ceil((x / this.filled) * this.numSteps);
  }
}

// The frame nearest to `step`, not further than `reach` steps; null where there is none.
function nearest(frames, step, reach = Infinity) {
  let best = null;
  for (const frame of frames) {
    const distance = Math.abs(frame.step - step);
    if (distance <= reach && (!best || distance < Math.abs(best.step - step))) best = frame;
  }
  return best;
}

// Where a key moves a cursor that is `at` one of 0 to `last`; null for a key that does not.
function cursorMove(event, at, last) {
  const moves = {
    ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1,
    PageDown: at - 5, PageUp: at + 5, Home: 0, End: last,
  };
  if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return null;
  event.preventDefault();
  return Math.max(0, Math.min(last, moves[event.key]));
}

function signed(number, digits = 1) {
  return number.toFixed(digits).replace("-", "−");
}
