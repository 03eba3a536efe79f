// The previews of one stage in a row, with a cursor that mouse, touch and keyboard move.
class Filmstrip {
  constructor(root, label, seek) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.cursor = root.querySelector(".cursor");
    this.seek = seek;
    this.frames = [];
    this.numSteps = 0;
    this.at = 0;
    root.setAttribute("aria-label", label);
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("pointerdown", (event) => {
      if (!this.frames.length || event.button > 0) return;
      root.setPointerCapture(event.pointerId);
      this.point(event);
    });
    root.addEventListener("pointermove", (event) => root.hasPointerCapture(event.pointerId) && this.point(event));
    new ResizeObserver(() => this.paint()).observe(root);
  }

  // Show `frames` of `numSteps` steps, the cursor on frame `at`; `thumbnail(frame)` is a picture or null.
  show(frames, numSteps, at, thumbnail) {
    Object.assign(this, { frames, numSteps, at, thumbnail });
    const frame = frames[at];
    this.root.tabIndex = frame ? 0 : -1;
    this.root.setAttribute("aria-disabled", String(!frame));
    this.root.setAttribute("aria-valuemin", frame ? 1 : 0);
    this.root.setAttribute("aria-valuemax", frame ? numSteps : 0);
    this.root.setAttribute("aria-valuenow", frame ? frame.step : 0);
    this.root.setAttribute(
      "aria-valuetext",
      frame ? `step ${frame.step} of ${numSteps}, log-SNR ${signed(frame.stats.log_snr)}` : "no steps yet",
    );
    this.paint();
  }

  geometry() {
    const height = this.root.clientHeight;
    const slots = Math.max(1, Math.min(this.numSteps, Math.floor(this.root.clientWidth / 40)));
    const width = slots * Math.min(height, this.root.clientWidth / slots);
    return { height, slots, width };
  }

  paint() {
    const { height, slots, width } = this.geometry();
    const density = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(width * density));
    this.canvas.height = Math.max(1, Math.round(height * density));
    this.canvas.style.width = `${width}px`;
    const frame = this.frames[this.at];
    this.cursor.hidden = !frame;
    if (!frame) return;
    const context = this.canvas.getContext("2d");
    const slot = this.canvas.width / slots;
    context.imageSmoothingEnabled = this.root.dataset.pixelated !== "true";
    for (let i = 0; i < slots; i += 1) {
      const shown = this.nearest(((i + 0.5) * this.numSteps) / slots + 0.5, this.numSteps / slots / 2 + 0.5);
      const picture = shown && this.thumbnail(shown);
      if (picture) context.drawImage(picture, i * slot, 0, slot - density, this.canvas.height);
    }
    const cell = width / this.numSteps;
    const mark = Math.max(cell, 8);
    this.cursor.style.width = `${mark}px`;
    this.cursor.style.transform = `translateX(${(frame.step - 0.5) * cell - mark / 2}px)`;
  }

  // The frame nearest to `step`, not further than `reach` steps.
  nearest(step, reach = Infinity) {
    let best = null;
    for (const frame of this.frames) {
      const distance = Math.abs(frame.step - step);
      if (distance <= reach && (!best || distance < Math.abs(best.step - step))) best = frame;
    }
    return best;
  }

  point(event) {
    const x = event.clientX - this.root.getBoundingClientRect().left;
    const step = Math.ceil((x / this.geometry().width) * this.numSteps);
    this.seek(this.frames.indexOf(this.nearest(step)));
  }

  key(event) {
    const last = this.frames.length - 1;
    const moves = {
      ArrowLeft: this.at - 1, ArrowDown: this.at - 1, ArrowRight: this.at + 1, ArrowUp: this.at + 1,
      PageDown: this.at - 5, PageUp: this.at + 5, Home: 0, End: last,
    };
    if (last < 0 || !(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.seek(Math.max(0, Math.min(last, moves[event.key])));
  }
}

function signed(number, digits = 1) {
  return number.toFixed(digits).replace("-", "−");
}
