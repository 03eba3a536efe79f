// The cascade view: follows the messages of a run and shows them in three lanes.
const STAGES = [
  { name: "base", size: 64, purpose: "Draws what the prompt says, from pure noise.", hint: "1 · Noise becomes a small picture" },
  { name: "sr256", size: 256, purpose: "Draws it again four times as large, with finer shapes.", hint: "2 · then a larger one" },
  { name: "sr1024", size: 1024, purpose: "Draws it a last time, in full size.", hint: "3 · then the finished one" },
];
const WELCOME =
  "Write a prompt and press Generate: noise becomes a 64-pixel picture of it, which two more models draw again at " +
  "256 and 1024 pixels.";

const KINDS = new Set(
  ["note", "begun", "stage", "step", "stage_done", "finished", "failed", "stopped", "opened", "refused"],
);

class CascadeView {
  constructor(root) {
    this.root = root;
    this.look = { mode: "x_0", image: 0, grid: true };
    this.current = "none"; // the run that the view shows; null: whichever comes next
    const template = this.part(".lane-template");
    const acts = { seek: (lane, at) => this.timeline.seekIn(lane, at), pick: (image) => this.select(image) };
    this.lanes = new Map(STAGES.map((stage) => [stage.name, new Lane(template, stage, acts)]));
    this.part(".lanes").append(...[...this.lanes.values()].map((lane) => lane.root));
    const lanes = [...this.lanes.values()];
    this.timeline = new Timeline(this.part(".timeline"), lanes);
    this.instruments = new Instruments(this.part(".instrument-panel"), this.timeline, this.look);
    this.maps = new WordMaps(root, lanes, this.timeline, this.look);
    this.kept = new KeptRun(root, lanes, this.timeline);
    this.runs = new RunTree(root, lanes, (run) => this.bringBack(run));
    this.fork = new ForkPlace(root, lanes, this.timeline, this.runs);
    this.restyle = new Restyle(root.querySelector(".restyle"), this.runs);
    this.film = new Film(root, this.lanes, this.look);
    this.zoom = new Zoom(root, (zoomed) => this.change({ zoomed }));
    this.status = new Status(this.part(".status"));
    this.status.say(WELCOME);
    this.result = new Result(root, (text) => this.problem(text));
    this.losses = new Losses(() => this.lost());
    this.seen = new Seen();
    const stopping = { told: (text) => this.status.say(text, true), lost: () => this.lost(), stopped: () => this.stopped() };
    this.stopButton = new StopButton("#stop", this.losses, stopping);
    for (const input of root.querySelectorAll(".modes input"))
      input.addEventListener("change", () => this.change({ mode: input.value }));
    this.part(".grid-switch").addEventListener("change", (event) => this.change({ grid: event.target.checked }));
    this.change({});
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  change(look) {
    Object.assign(this.look, look);
    for (const lane of this.lanes.values()) {
      lane.look = this.look;
      lane.redraw();
    }
    this.instruments.redraw();
    this.maps.redraw();
    this.result.show(this.look.image);
  }

  select(image) {
    const input = this.root.querySelectorAll(".picks input")[image];
    if (input) input.checked = true;
    this.change({ image });
  }

  // `message` is what the server said last; its kind names the method that takes it.
  take(message) {
    if (!message || !message.kind) return;
    this.losses.heard();
    const ours = !message.run || message.kind === "begun" || [null, message.run].includes(this.current);
    if (!ours || !KINDS.has(message.kind)) return; // or late words of a run that was stopped
    const unseen = this.seen.unseen(message);
    if (unseen.length && this.doubtful && message.run) this.revive(message.run);
    for (const each of unseen) this[each.kind](each);
  }

  // Between the click and the server's first answer.
  await() {
    this.current = null;
    this.doubtful = false;
    this.losses.heard();
    this.problem("");
    this.status.say("Sent; waiting for its turn.", true);
    this.state("running");
    window.dispatchEvent(new Event("imagen:sent"));
    this.stopButton.begin(() => document.querySelector("#generate").click());
  }

  note(message) {
    this.status.say(message.text, true);
  }

  begun(message) {
    this.current = message.run;
    this.runs.begun(message);
    this.stepsGone(this.runs.current);
    this.restyle.begun();
    this.problem("");
    this.state("running");
    this.clear(message.num_images);
    for (const lane of this.lanes.values()) lane.reset(message.stages.includes(lane.stage.name) ? "waiting" : "skipped");
    this.timeline.reset();
    this.kept.begun(message);
    this.change({ image: 0 });
    this.status.say("Reading the prompt.", true);
    this.stopButton.answered();
  }

  stage(message) {
    this.lanes.get(message.stage).start(message, this.runs.inherited(message.stage));
    this.timeline.grown();
    this.status.say(`Drawing at ${message.size} pixels.`, true);
  }

  step(message) {
    const lane = this.lanes.get(message.stage);
    lane.add(message);
    this.timeline.grown();
    const { step, num_steps: steps } = message;
    const others = STAGES.slice(STAGES.indexOf(lane.stage) + 1).some(({ name }) => this.lanes.get(name).state === "waiting");
    const left = `${lane.timeLeft()} left${others ? " at this size" : ""}`;
    this.status.say(`Drawing at ${lane.stage.size} pixels: step ${step} of ${steps}, ${left}.`);
    if (message.done) this.stage_done(message.done);
  }

  stage_done(message) {
    this.lanes.get(message.stage).finish(message, this.runs.inherited(message.stage));
    this.timeline.grown();
  }

  finished(message) {
    this.state("finished");
    const kept = message.cached.length ? ` ${sizes(message.cached)} kept from an earlier run.` : "";
    this.status.say(`Finished in ${time(message.seconds)}.${kept}`, true);
    const copy = (file) => new KeptFile(file.file.url, () => this.change({}));
    this.lanes.get(message.stage).files = message.files.map((file) => ({ ...file, kept: copy(file) }));
    this.result.finish(message, this.lanes);
    this.runs.ended("finished", message);
    this.restyle.show(this.runs.current);
    remember(message.files, this.lanes.get(message.stage).frames.at(-1).addresses.x_0);
    this.change({});
  }

  // A run of this visit, as it was; the server fills the form with its settings.
  bringBack(run) {
    this.current = "none";
    this.problem("");
    this.clear(run.numImages);
    for (const lane of this.lanes.values()) lane.bringBack(run.lanes.get(lane.stage.name));
    this.stepsGone(run);
    this.state(run.state);
    this.kept.begun(run);
    this.timeline.reset();
    this.timeline.grown();
    if (run.finished) this.result.finish(run.finished, this.lanes);
    this.restyle.show(run);
    thresholds.begin({ run: `back ${performance.now()}`, link: run.link });
    this.change({ image: 0 });
    window.imagenRecall = run.link;
    document.querySelector("#recall")?.click();
  }

  // Whether only the last pictures of the run are here. The server is told, which would send no more than those where it
  // still has them itself.
  stepsGone({ released, link }) {
    const note = this.part(".released-note");
    note.textContent = released ? STEPS_GONE : "";
    note.hidden = !released;
    window.imagenAnew = released ? link : "";
  }

  clear(numImages) {
    this.result.clear();
    this.chooser(numImages);
  }

  failed(message) {
    this.halt("failed");
    this.status.say(message.stage ? "The run broke off. What was drawn before stays." : "Nothing was drawn.", true);
    this.problem(message.text);
    markField(message.field);
  }

  stopped() {
    if (this.root.dataset.state !== "running" && !this.doubtful) return;
    this.doubtful = false;
    this.problem("");
    this.halt("stopped");
    this.losses.stopped();
    this.current = "none";
    this.status.say("Stopped. What was drawn so far stays.", true);
  }

  // The server broke off without a word: the connection is gone, or the queue was full.
  lost() {
    if (this.root.dataset.state !== "running") return;
    this.halt("failed");
    this.doubtful = true;
    this.status.say("Nothing more will come of this run.", true);
    const why = "The server did not take the run, or the connection to it broke: wait a little and press Generate again.";
    this.problem(`${why} Should the page load anew meanwhile, your settings come back.`);
  }

  // It was not lost: the server was only silent.
  revive(run) {
    this.doubtful = false;
    this.runs.goesOn(run);
    this.problem("");
    this.state("running");
  }

  // The form was filled. Whether what it holds is to be drawn at once, and nothing else is; true only one time.
  filled() {
    const draws = Boolean(this.replay) && this.root.dataset.state !== "running";
    this.replay = false;
    this.restyle.filled(draws);
    return draws;
  }

  opened(message) {
    this.replay = message.replay;
    this.fork.set(message.fork || null);
    this.status.say(message.text, true);
    this.problem("");
    if (message.swept) showTab("Sweep");
  }

  refused(message) {
    this.restyle.over();
    this.problem(message.text);
  }

  halt(state) {
    if (this.restyle.sent) this.restyle.over(); // it ended before it began
    for (const lane of this.lanes.values()) lane.halt(state);
    this.runs.ended(state);
    this.state(state); // last: whether it can be forked depends on which run is current now
  }

  state(state) {
    this.root.dataset.state = state;
    if (state !== "running") this.stopButton.over();
    this.timeline.runs(state === "running");
    this.runs.busy(state === "running");
    this.restyle.goes(state === "running");
    this.fork.redraw();
    document.body.toggleAttribute("data-running", state === "running");
    document.querySelector("#stop")?.setAttribute("aria-disabled", String(state !== "running"));
    for (const button of document.querySelectorAll("#generate, #examples .chip"))
      button.setAttribute("aria-disabled", String(state === "running"));
    if (state === "running") markField("");
  }

  problem(text) {
    const problem = this.part(".problem");
    problem.textContent = text;
    problem.hidden = !text;
  }

  chooser(numImages) {
    this.part(".images").hidden = numImages < 2;
    const picks = this.part(".picks");
    for (const label of picks.querySelectorAll("label")) label.remove();
    for (let image = 0; image < numImages && numImages > 1; image += 1) {
      const label = document.createElement("label");
      const input = Object.assign(document.createElement("input"), { type: "radio", name: "cascade-image", checked: !image });
      input.addEventListener("change", () => this.change({ image }));
      const text = document.createElement("span");
      text.textContent = String(image + 1);
      label.append(input, text);
      picks.append(label);
    }
  }
}

const view = new CascadeView(element.querySelector(".cascade"));
watchPage(view);
watch("value", () => view.take(props.value));
view.take(props.value);
