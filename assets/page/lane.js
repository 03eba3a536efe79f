// One stage of the cascade: its picture, its progress, its filmstrip, and the instruments of the cursor's step.
class Lane {
  constructor(template, stage, changed) {
    this.stage = stage;
    this.changed = changed;
    this.root = template.content.cloneNode(true).firstElementChild;
    this.root.dataset.stage = stage.name;
    this.part(".size").textContent = `${stage.size} × ${stage.size}`;
    this.part(".stage-name").textContent = stage.name;
    this.part(".purpose").textContent = stage.purpose;
    this.part(".bar").setAttribute("aria-label", `Progress at ${stage.size} pixels`);
    this.canvas = this.part(".picture canvas");
    this.film = new Filmstrip(this.part(".filmstrip"), `Steps at ${stage.size} pixels`, (at) => this.seek(at));
    this.film.root.dataset.pixelated = String(stage.size === 64);
    this.look = { mode: "x_0", image: 0, grid: false };
    this.queued = false;
    this.part(".picture").addEventListener("click", (event) => this.pick(event));
    this.reset("empty");
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  reset(state) {
    Object.assign(this, { state, frames: [], at: -1, live: true, numSteps: 0, numImages: 1, seconds: 0, files: [] });
    this.redraw();
  }

  start(message) {
    this.reset("running");
    this.numSteps = message.num_steps;
    this.numImages = message.num_images;
    this.redraw();
  }

  add(message) {
    this.frames.push(new Frame(message, () => this.redraw()));
    this.numSteps = message.num_steps;
    this.seconds = message.seconds;
    if (this.live) this.at = this.frames.length - 1;
    this.redraw();
  }

  finish(message) {
    this.seconds = message.seconds;
    if (message.cached) {
      this.reset("cached");
      this.numImages = message.x_0.length;
      this.numSteps = 1;
      this.add({ ...message, step: 1, num_steps: 1, stats: null });
    } else {
      this.state = "done";
    }
    this.redraw();
  }

  // The run ended here without this stage's end.
  halt(state) {
    if (this.state === "running" || this.state === "waiting") this.state = this.frames.length ? state : "empty";
    this.redraw();
  }

  seek(at) {
    this.at = at;
    this.live = at === this.frames.length - 1;
    this.redraw();
  }

  pick(event) {
    if (!this.look.grid || this.numImages < 2 || !this.frames.length) return;
    const box = this.canvas.getBoundingClientRect();
    const columns = Math.ceil(Math.sqrt(this.numImages));
    const tile = box.width / columns;
    const image = Math.floor((event.clientY - box.top) / tile) * columns + Math.floor((event.clientX - box.left) / tile);
    if (image >= 0 && image < this.numImages) this.changed(image);
  }

  // Paint once for any number of changes between two frames of the screen.
  redraw() {
    if (this.queued) return;
    this.queued = true;
    const paint = () => {
      this.queued = false;
      this.paint();
    };
    if (document.hidden) setTimeout(paint, 100);
    else requestAnimationFrame(paint);
  }

  paint() {
    const frame = this.frames[this.at];
    const film = this.stats(frame) ? this.frames : [];
    this.film.show(film, this.numSteps, film.length ? this.at : -1, (shown) => shown.picture("x_0", this.look.image));
    this.paintPicture(frame);
    this.paintProgress(frame);
    this.paintInstruments(frame);
    const { dataset } = this.root;
    dataset.state = this.state;
    dataset.frames = this.frames.length;
    dataset.step = frame ? frame.step : 0;
  }

  stats(frame) {
    return frame && frame.stats;
  }

  paintPicture(frame) {
    const final = this.part(".final");
    const file = this.files[this.look.image];
    const alone = !(this.look.grid && this.numImages > 1);
    final.hidden = !(file && alone && this.at === this.frames.length - 1 && this.look.mode === "x_0");
    if (!final.hidden && final.getAttribute("src") !== file.address) final.src = file.address;
    if (!final.hidden) final.alt = `The finished picture, ${this.stage.size} pixels wide`;
    this.part(".hint").hidden = Boolean(frame);
    this.part(".hint").textContent = this.state === "skipped" ? "The run ended at a smaller size" : this.stage.hint;
    if (!frame) {
      if (this.painted !== "noise") paintNoise(this.canvas, Math.min(this.stage.size, 256));
      this.painted = "noise";
      delete this.canvas.dataset.painted;
      this.canvas.setAttribute("aria-label", "Nothing drawn yet");
      return;
    }
    this.painted = "frame";
    const images = alone ? [this.look.image] : [...Array(this.numImages).keys()];
    const painted = this.paintTiles(images.map((image) => this.tile(frame, image)));
    if (painted) this.canvas.dataset.painted = `${this.look.mode} ${frame.step}`;
    const kind = { x_0: "the estimate", x_t: "the noisy picture", difference: "the change" }[this.look.mode];
    this.canvas.setAttribute("aria-label", `${kind} at step ${frame.step} of ${this.numSteps}, ${this.stage.size} pixels`);
  }

  // What to paint for one image: its picture, and the one before where the difference is asked for.
  tile(frame, image) {
    if (this.look.mode !== "difference") return { picture: frame.picture(this.look.mode, image), image };
    const before = this.frames[this.at - 1];
    return { picture: frame.picture("x_0", image), before: before && before.picture("x_0", image), image, changed: true };
  }

  paintTiles(tiles) {
    const first = tiles.find((tile) => tile.picture);
    if (!first) return false;
    const size = first.picture.naturalWidth;
    const columns = Math.ceil(Math.sqrt(tiles.length));
    const context = this.canvas.getContext("2d", { willReadFrequently: this.look.mode === "difference" });
    if (this.canvas.width !== columns * size) this.canvas.width = this.canvas.height = columns * size;
    else context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    tiles.forEach(({ picture, before, image, changed }, place) => {
      if (!picture) return;
      const [x, y] = [(place % columns) * size, Math.floor(place / columns) * size];
      if (changed) {
        const scratch = new OffscreenCanvas(size, size);
        paintDifference(scratch.getContext("2d", { willReadFrequently: true }), picture, before);
        context.drawImage(scratch, x, y);
      } else context.drawImage(picture, x, y, size, size);
      if (tiles.length > 1 && image === this.look.image) {
        const line = Math.max(1, Math.round((columns * size) / 100));
        context.strokeStyle = getComputedStyle(this.root).getPropertyValue("--accent");
        context.lineWidth = line;
        context.strokeRect(x + line / 2, y + line / 2, size - line, size - line);
      }
    });
    return true;
  }

  timeLeft() {
    const { step } = this.frames[this.frames.length - 1];
    return time((this.seconds / step) * (this.numSteps - step));
  }

  paintProgress(frame) {
    const newest = this.frames[this.frames.length - 1];
    const done = this.state === "done" || this.state === "cached" ? this.numSteps : newest ? newest.step : 0;
    const share = this.numSteps ? done / this.numSteps : 0;
    const steps = frame ? `step ${frame.step} of ${this.numSteps}` : this.numSteps ? `step 0 of ${this.numSteps}` : "";
    const left = {
      running: done ? `${this.timeLeft()} left` : "",
      done: `took ${time(this.seconds)}`,
      stopped: "stopped",
      failed: "broke off",
      waiting: "waits for the stage before",
      skipped: "not part of this run",
    };
    this.part(".steps").textContent = this.state === "cached" ? "kept from an earlier run" : steps;
    this.part(".left").textContent = left[this.state] || "";
    this.part(".bar").setAttribute("aria-valuenow", Math.round(100 * share));
    this.part(".bar div").style.transform = `scaleX(${share})`;
  }

  paintInstruments(frame) {
    const stats = this.stats(frame);
    const image = this.look.image;
    const texts = stats
      ? {
          log_snr: signed(stats.log_snr),
          threshold: stats.threshold[image].toFixed(2),
          clipped_share: `${(100 * stats.clipped_share[image]).toFixed(1)} %`,
          guidance_norm: stats.guidance_norm[image] === 0 ? "off" : stats.guidance_norm[image].toFixed(3),
        }
      : {};
    for (const value of this.root.querySelectorAll("[data-of]")) value.textContent = texts[value.dataset.of] || "–";
  }
}

function time(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
