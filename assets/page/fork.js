// Where the next run leaves an earlier one: chosen at the cursor, told in a line, read when Generate is pressed.
class ForkPlace {
  constructor(root, lanes, timeline, runs) {
    Object.assign(this, { lanes, timeline, runs, fork: null });
    this.button = root.querySelector(".fork");
    this.bar = root.querySelector(".fork-bar");
    this.note = root.querySelector(".fork-note");
    this.restart = root.querySelector(".fork-restart input");
    this.button.addEventListener("click", () => this.choose());
    this.restart.addEventListener("change", () => this.write());
    root.querySelector(".fork-cancel").addEventListener("click", () => {
      this.set(null);
      this.button.focus();
    });
    timeline.watchers.push(() => this.redraw());
    this.set(null);
  }

  // The place behind the step that the cursor is on; behind a stage's last step it is the next stage's start.
  get here() {
    const { here } = this.timeline;
    if (!here || !this.runs.current) return null;
    const { lane, frame } = here;
    if (frame.stats && frame.step < lane.numSteps) return { lane, step: frame.step };
    const next = this.timeline.shown[this.timeline.shown.indexOf(lane) + 1];
    return next ? { lane: next, step: 0 } : null;
  }

  redraw() {
    const { here } = this;
    this.button.disabled = !here || Boolean(this.timeline.running);
    write(this.button, here && !here.step ? `Fork before ${here.lane.stage.size}` : "Fork from this step");
  }

  choose() {
    const { here } = this;
    const { link, prompt, seed } = this.runs.current;
    const fork = { stage: here.lane.stage.name, step: here.step, history: null, parent: { link, prompt, seed } };
    this.set(fork, ` of ${here.lane.numSteps}`);
    const lock = document.querySelector("#lock input");
    if (lock && !lock.checked) lock.click(); // what is not changed shall stay
    this.bar.scrollIntoView({ block: "nearest" });
  }

  // `fork` is {stage, step, history, parent: {link, prompt, seed}}, or null for none.
  set(fork, of = "") {
    this.fork = fork;
    this.bar.hidden = !fork;
    this.restart.checked = Boolean(fork) && fork.history === "restarted";
    if (fork) {
      const { size } = STAGES.find((stage) => stage.name === fork.stage);
      const place = fork.step ? `step ${fork.step}${of} at ${size} pixels` : `the start of ${size} pixels`;
      write(this.note, `Forking from ${place} of ${runName(fork.parent)}. Change something and press Generate.`);
      this.restart.parentElement.hidden = !fork.step;
    }
    this.write();
  }

  // Where the page's Generate finds it, and a page that is loaded anew.
  write() {
    const { fork } = this;
    const history = this.restart.checked && fork && fork.step ? ".restarted" : "";
    window.imagenFork = fork ? `${fork.stage}.${fork.step}${history}?${fork.parent.link}` : "";
    document.querySelector("#keep-form")?.click();
  }
}

function runName({ prompt, seed }) {
  return `“${prompt.length > 80 ? `${prompt.slice(0, 80)}…` : prompt}”, seed ${seed}`;
}
