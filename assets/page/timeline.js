// The one cursor over the steps of all stages, in the order in which they are drawn: keys, pointer, play, live.
const PLAY_INTERVAL = 1000 / 12; // milliseconds between two steps

class Timeline {
  constructor(root, lanes) {
    this.root = root;
    this.lanes = lanes;
    this.tools = root.parentElement.querySelector(".tools");
    this.track = root.querySelector(".track");
    this.knob = root.querySelector(".knob");
    this.playButton = root.querySelector(".play");
    this.liveButton = root.querySelector(".live");
    this.segments = lanes.map((lane) => this.segment(lane));
    this.root.querySelector(".segments").append(...this.segments.map((segment) => segment.root));
    this.watchers = []; // called after every move
    this.width = 0;
    this.redraw = oncePerFrame(() => this.paint());
    this.playButton.addEventListener("click", () => this.toggle());
    this.liveButton.addEventListener("click", () => this.follow());
    this.listen();
    this.reset();
  }

  segment(lane) {
    const root = document.createElement("div");
    const [fill, label] = [document.createElement("div"), document.createElement("span")];
    fill.className = "fill";
    root.append(fill, label);
    return { root, fill, label, lane };
  }

  listen() {
    const { track } = this;
    track.addEventListener("keydown", (event) => {
      const position = cursorMove(event, this.position, this.length - 1);
      if (position !== null) this.seek(position);
    });
    this.root.closest(".cascade").addEventListener("keydown", (event) => {
      if (event.key !== " " || !event.target.closest("[role=slider]") || !this.length) return;
      event.preventDefault();
      this.toggle();
    });
    let left = 0;
    track.addEventListener("pointerdown", (event) => {
      if (event.button > 0 || !this.length) return;
      track.setPointerCapture(event.pointerId);
      ({ left } = track.getBoundingClientRect());
      this.point(event.clientX - left);
    });
    track.addEventListener("pointermove", (event) => {
      if (track.hasPointerCapture(event.pointerId)) this.point(event.clientX - left);
    });
    new ResizeObserver(([{ contentRect }]) => {
      this.width = contentRect.width;
      this.redraw();
    }).observe(track);
  }

  // A new run: nothing to move over, and the cursor follows it.
  reset() {
    this.pause();
    Object.assign(this, { position: -1, live: true });
    this.place();
  }

  get length() {
    return this.lanes.reduce((sum, lane) => sum + lane.frames.length, 0);
  }

  // The lanes that have a part in the run, each as wide as the others.
  get shown() {
    return this.lanes.filter((lane) => lane.state !== "skipped");
  }

  // A lane has more frames, or others.
  grown() {
    if (this.live) this.position = this.length - 1;
    this.place();
  }

  // The run goes on or has ended.
  runs(running) {
    this.running = running;
    this.redraw();
  }

  seek(position, playing = false) {
    if (!playing) this.pause();
    this.position = Math.max(0, Math.min(this.length - 1, position));
    this.live = this.position === this.length - 1;
    this.place();
  }

  // Move to frame `at` of one lane.
  seekIn(lane, at) {
    let offset = 0;
    for (const before of this.lanes.slice(0, this.lanes.indexOf(lane))) offset += before.frames.length;
    this.seek(offset + at);
  }

  // Move to a place between the left (0) and the right (1) edge of what all stages share.
  seekShare(share) {
    const { shown } = this;
    const place = Math.max(0, Math.min(0.99999, share)) * shown.length;
    const lane = shown[Math.floor(place)];
    const frame = nearest(lane.frames, Math.ceil((place % 1) * lane.numSteps));
    if (frame) this.seekIn(lane, lane.frames.indexOf(frame));
    else this.seek(this.length - 1); // that stage has not begun
  }

  point(x) {
    if (this.width) this.seekShare(x / this.width);
  }

  follow() {
    this.seek(this.length - 1);
  }

  place() {
    let offset = 0;
    for (const lane of this.lanes) {
      lane.move(Math.max(-1, Math.min(this.position - offset, lane.frames.length - 1)));
      offset += lane.frames.length;
    }
    this.redraw();
    for (const watcher of this.watchers) watcher();
  }

  // The lane that the cursor is in, and its frame there; none before the first step.
  get here() {
    const lane = [...this.lanes].reverse().find((each) => each.at >= 0);
    return lane && { lane, frame: lane.frames[lane.at], share: this.share(lane, lane.frames[lane.at].step) };
  }

  share(lane, step) {
    const { shown } = this;
    return (shown.indexOf(lane) + (step - 0.5) / lane.numSteps) / shown.length;
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  // From the beginning where the cursor is at the end.
  play() {
    if (this.position >= this.length - 1) this.seek(0);
    this.playing = true;
    let due = performance.now() + PLAY_INTERVAL;
    const tick = (now) => {
      if (!this.playing) return;
      const steps = Math.floor((now - due) / PLAY_INTERVAL) + 1;
      if (steps > 0) {
        due += steps * PLAY_INTERVAL;
        this.seek(this.position + Math.min(steps, 2), true);
        if (this.live) return this.pause(); // the end, or the newest step, which the cursor follows from here
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    this.redraw();
  }

  pause() {
    this.playing = false;
    this.redraw();
  }

  paint() {
    const { here, length } = this;
    this.root.hidden = this.tools.hidden = !here || length < 2;
    this.playButton.dataset.playing = String(Boolean(this.playing));
    this.playButton.setAttribute("aria-label", this.playing ? "Pause" : "Play the steps");
    this.liveButton.hidden = !this.running || this.live;
    for (const { root, fill, label, lane } of this.segments) {
      const newest = lane.frames[lane.frames.length - 1];
      const step = lane.at < 0 ? 0 : lane.frames[lane.at].step;
      root.hidden = lane.state === "skipped";
      fill.style.transform = `scaleX(${newest ? newest.step / lane.numSteps : 0})`;
      write(label, lane.numSteps > 1 ? `${lane.stage.size} · ${step}/${lane.numSteps}` : String(lane.stage.size));
    }
    if (!here) return;
    this.knob.style.transform = `translateX(${here.share * this.width}px)`;
    this.track.setAttribute("aria-valuemax", length);
    this.track.setAttribute("aria-valuenow", this.position + 1);
    const steps = here.frame.stats ? `step ${here.frame.step} of ${here.lane.numSteps}` : "kept from an earlier run";
    this.track.setAttribute("aria-valuetext", `${here.lane.stage.size} pixels, ${steps}`);
  }
}
