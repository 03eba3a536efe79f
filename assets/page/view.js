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
    this.lanes = new Map(STAGES.map((stage) => [stage.name, new Lane(template, stage, (image) => this.select(image))]));
    this.part(".lanes").append(...[...this.lanes.values()].map((lane) => lane.root));
    this.status = new Status(this.part(".status"));
    this.status.say(WELCOME);
    this.result = new Result(root);
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
    const ours = !message.run || message.kind === "begun" || [null, message.run].includes(this.current);
    if (!ours) return; // late words of a run that was stopped
    if (KINDS.has(message.kind)) this[message.kind](message);
  }

  // Between the click and the server's first answer.
  await() {
    this.current = null;
    this.problem("");
    this.status.say("Sent; waiting for its turn.", true);
    this.state("running");
  }

  note(message) {
    this.status.say(message.text, true);
  }

  begun(message) {
    this.current = message.run;
    this.problem("");
    this.state("running");
    this.result.clear();
    this.chooser(message.num_images);
    for (const lane of this.lanes.values()) lane.reset(message.stages.includes(lane.stage.name) ? "waiting" : "skipped");
    this.change({ image: 0 });
    this.status.say("Reading the prompt.", true);
  }

  stage(message) {
    this.lanes.get(message.stage).start(message);
    this.status.say(`Drawing at ${message.size} pixels.`, true);
  }

  step(message) {
    const lane = this.lanes.get(message.stage);
    lane.add(message);
    const { step, num_steps: steps } = message;
    this.status.say(`Drawing at ${lane.stage.size} pixels: step ${step} of ${steps}, ${lane.timeLeft()} left.`);
  }

  stage_done(message) {
    this.lanes.get(message.stage).finish(message);
  }

  finished(message) {
    this.state("finished");
    const kept = message.cached.length ? ` ${sizes(message.cached)} kept from an earlier run.` : "";
    this.status.say(`Finished in ${time(message.seconds)}.${kept}`, true);
    this.lanes.get(message.stage).files = message.files.map((file) => ({ ...file, address: file.file.url }));
    this.result.finish(message, this.lanes);
    this.change({});
  }

  failed(message) {
    this.halt("failed");
    this.status.say(message.stage ? "The run broke off. What was drawn before stays." : "Nothing was drawn.", true);
    this.problem(message.text);
    markField(message.field);
  }

  stopped() {
    if (this.root.dataset.state !== "running") return;
    this.halt("stopped");
    this.current = "none";
    this.status.say("Stopped. What was drawn so far stays.", true);
  }

  // The server broke off without a word: the connection is gone, or the queue was full.
  lost() {
    if (this.root.dataset.state !== "running") return;
    this.halt("failed");
    this.current = "none";
    this.status.say("Nothing more will come of this run.", true);
    this.problem("The server did not take the run, or the connection to it broke: wait a little and press Generate again.");
  }

  // Whether the link that was opened asks to be drawn at once; true only one time.
  takeReplay() {
    const { replay } = this;
    this.replay = false;
    return replay;
  }

  opened(message) {
    this.replay = message.replay;
    this.status.say(message.text, true);
    this.problem("");
  }

  refused(message) {
    this.problem(message.text);
  }

  halt(state) {
    this.state(state);
    for (const lane of this.lanes.values()) lane.halt(state);
  }

  state(state) {
    this.root.dataset.state = state;
    document.body.toggleAttribute("data-running", state === "running");
    document.querySelector("#stop")?.setAttribute("aria-disabled", String(state !== "running"));
    document.querySelector("#generate")?.setAttribute("aria-disabled", String(state === "running"));
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
