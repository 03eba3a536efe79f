// One stage of the cascade: its picture, its progress, its filmstrip, and the instruments of the cursor's step.
class Lane {
  // `acts` tells what a visitor does here: seek(lane, at) and pick(image).
  constructor(template, stage, acts) {
    this.stage = stage;
    this.acts = acts;
    this.root = template.content.cloneNode(true).firstElementChild;
    this.root.dataset.stage = stage.name;
    this.part(".size").textContent = `${stage.size} × ${stage.size}`;
    this.part(".stage-name").textContent = stage.name;
    this.part(".purpose").textContent = stage.purpose;
    this.steps = this.part(".steps");
    this.left = this.part(".left");
    this.bar = this.part(".bar");
    this.fill = this.part(".bar div");
    this.values = [...this.root.querySelectorAll("[data-of]")];
    this.bar.setAttribute("aria-label", `Progress at ${stage.size} pixels`);
    this.picture = new StagePicture(this.part(".picture.now"), stage);
    this.keptPicture = new StagePicture(this.part(".picture.kept"), stage);
    this.kept = null;
    this.film = new Filmstrip(this.part(".filmstrip"), `Steps at ${stage.size} pixels`, (at) => acts.seek(this, at));
    this.film.root.dataset.pixelated = String(stage.size === 64);
    this.look = { mode: "x_0", image: 0, grid: false };
    this.redraw = oncePerFrame(() => this.paint());
    this.picture.root.addEventListener("click", (event) => this.pick(event));
    this.reset("empty");
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  reset(state) {
    this.release(this.frames, this.kept && this.kept.frames);
    Object.assign(this, { state, frames: [], at: -1, numSteps: 0, numImages: 1, seconds: 0, files: [] });
    Object.assign(this, { keptSteps: 0, drawnFrom: null });
    this.points = []; // the instruments of every step, also of those without a preview
    this.redraw();
  }

  // `inherited` is what a fork's parent has held of this stage, if the browser still has it.
  start(message, inherited) {
    this.reset("running");
    this.numSteps = message.num_steps;
    this.numImages = message.num_images;
    this.keptSteps = message.kept_steps || 0;
    if (this.keptSteps && inherited) this.take(inherited, this.keptSteps);
  }

  // The steps of another run, up to one of them.
  take(run, last) {
    this.frames = run.frames.filter((frame) => frame.stats && frame.step <= last);
    this.points = run.points.filter((point) => point.step <= last);
    this.redraw();
  }

  // All that brings this lane back as it is.
  held() {
    const { state, frames, points, numSteps, numImages, seconds, files, keptSteps } = this;
    return { state, frames, points, numSteps, numImages, seconds, files, keptSteps };
  }

  bringBack(held) {
    this.reset(held.state);
    Object.assign(this, held);
    this.redraw();
  }

  // A step, and those between it and the one before.
  add(message) {
    for (const step of [...(message.between || []), message]) this.addStep(step);
    this.numSteps = message.num_steps;
    this.seconds = message.seconds;
    if (this.state === "failed") this.state = "running"; // it was believed lost
    this.redraw();
  }

  addStep(step) {
    const newest = this.frames[this.frames.length - 1];
    if (newest && step.step <= newest.step) return; // a step of the parent, drawn again and here already
    if (step.step > this.keptSteps) this.drawnFrom ??= step.step - 1;
    const told = this.points.at(-1)?.step ?? 0; // of the parent, too, whose pictures may have been let go
    if (step.stats && step.step > told) this.points.push({ step: step.step, stats: step.stats });
    if (!step.x_0) return; // only its instruments were told
    const frame = new Frame(step, this.redraw);
    frame.picture("x_0", this.look.image); // decoded before the cursor comes here
    this.frames.push(frame);
  }

  finish(message, inherited) {
    this.seconds = message.seconds;
    const steps = inherited && inherited.frames.some((frame) => frame.stats);
    if (message.cached && steps) {
      this.reset("cached");
      Object.assign(this, { numImages: inherited.numImages, numSteps: inherited.numSteps });
      this.take(inherited, inherited.numSteps);
    } else if (message.cached) {
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

  // Show frame `at`; -1 is before the first.
  move(at) {
    if (at === this.at) return;
    this.at = at;
    this.redraw();
  }

  // Show a run beside the newest one, or none.
  keep(run) {
    this.release(this.kept && this.kept.frames, this.frames);
    this.kept = run;
    this.keptPicture.root.hidden = !run;
    this.redraw();
  }

  // Frames that nothing shows any more, unless they are the `others`.
  release(frames, others) {
    if (frames && frames !== others) for (const frame of frames) frame.release();
  }

  pick(event) {
    if (!this.look.grid || this.numImages < 2 || !this.frames.length || this.look.zoomed) return;
    const image = this.picture.imageAt(event);
    if (image < 0 || image >= this.numImages) return;
    event.stopImmediatePropagation(); // this click is not for the zoom
    this.acts.pick(image);
  }

  paint() {
    const frame = this.frames[this.at];
    const film = this.frames.length && this.frames[0].stats ? this.frames : NO_FRAMES;
    this.film.show(film, this.numSteps, film.length ? this.at : -1, this.look.image);
    this.picture.show(this, this.at, this.look, this.hint());
    if (this.kept) this.paintKept(frame);
    this.paintProgress(frame);
    this.paintInstruments(frame);
    const { dataset } = this.root;
    dataset.state = this.state;
    dataset.frames = this.frames.length;
    dataset.step = frame ? frame.step : 0;
  }

  paintKept(frame) {
    const at = frame ? sameMoment(this.kept, frame.step, this.numSteps) : -1;
    this.keptPicture.show(this.kept, at, this.look, this.kept.state === "skipped" ? ENDED_BEFORE : NOT_BEGUN);
    const step = at < 0 || this.kept.state === "cached" ? "" : ` · step ${this.kept.frames[at].step} of ${this.kept.numSteps}`;
    write(this.keptPicture.which, `Kept${step}`);
  }

  // What stands in place of a picture.
  hint() {
    if (this.state === "skipped") return ENDED_BEFORE;
    return this.frames.length ? NOT_BEGUN : this.stage.hint;
  }

  timeLeft() {
    const { step } = this.points.at(-1) || this.frames.at(-1); // the newest may have no picture
    return time((this.seconds / (step - this.drawnFrom)) * (this.numSteps - step));
  }

  paintProgress(frame) {
    const newest = this.frames[this.frames.length - 1];
    const done = this.state === "done" || this.state === "cached" ? this.numSteps : newest ? newest.step : 0;
    const share = this.numSteps ? done / this.numSteps : 0;
    const steps = frame ? `step ${frame.step} of ${this.numSteps}` : this.numSteps ? `step 0 of ${this.numSteps}` : "";
    const left = {
      running: done ? `${this.timeLeft()} left` : "",
      done: `took ${time(this.seconds)}${this.keptSteps ? `, ${this.keptSteps} steps kept` : ""}`,
      stopped: "stopped",
      failed: "broke off",
      waiting: "waits for the stage before",
      skipped: "not part of this run",
    };
    write(this.steps, this.state === "cached" ? "kept from an earlier run" : steps);
    write(this.left, left[this.state] || "");
    this.bar.setAttribute("aria-valuenow", Math.round(100 * share));
    this.fill.style.transform = `scaleX(${share})`;
  }

  paintInstruments(frame) {
    const texts = frame && frame.stats ? reading(frame.stats, this.look.image) : {};
    for (const value of this.values) write(value, texts[value.dataset.of] || "–");
  }
}

const ENDED_BEFORE = "The run ended at a smaller size";
const NOT_BEGUN = "Not begun at this moment";
const NO_FRAMES = []; // one and the same, so that the filmstrip sees that nothing changed

// Change a text only where it differs: the screen has nothing to lay out again then.
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The instruments of one step and image in words.
function reading(stats, image) {
  return {
    log_snr: signed(stats.log_snr),
    threshold: stats.threshold[image].toFixed(2),
    clipped_share: `${(100 * stats.clipped_share[image]).toFixed(1)} %`,
    guidance_norm: stats.guidance_norm[image] === 0 ? "off" : stats.guidance_norm[image].toFixed(3),
  };
}

function time(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 90) return `${whole} s`;
  if (whole < 5400) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(whole / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
