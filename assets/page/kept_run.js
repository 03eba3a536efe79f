// One run that is kept beside the newest: both follow the same cursor.
class KeptRun {
  constructor(root, lanes, timeline) {
    this.root = root;
    this.lanes = lanes;
    this.timeline = timeline;
    this.name = "";
    this.keepButton = root.querySelector(".keep");
    this.bar = root.querySelector(".kept-bar");
    this.note = root.querySelector(".kept-note");
    this.keepButton.addEventListener("click", () => this.keep());
    root.querySelector(".forget").addEventListener("click", () => this.forget());
  }

  // What the run that begins now is called, should it be kept.
  begun({ prompt, seed }) {
    this.name = runName({ prompt, seed });
    this.fresh = true;
    if (this.kept) this.say();
  }

  keep() {
    Object.assign(this, { kept: this.name, fresh: false });
    for (const lane of this.lanes) {
      lane.keep(lane.held());
    }
    this.say();
    this.timeline.place();
  }

  forget() {
    this.kept = null;
    for (const lane of this.lanes) lane.keep(null);
    this.say();
    this.timeline.place();
    this.keepButton.focus();
  }

  say() {
    this.root.toggleAttribute("data-comparing", Boolean(this.kept));
    this.bar.hidden = !this.kept;
    const advice = this.fresh ? "" : " Change something and press Generate: both runs follow the one cursor.";
    write(this.note, this.kept ? `Kept: ${this.kept}.${advice}` : "");
  }
}

// The frame of a kept run that belongs to `step` of `numSteps`: the same step, or the same share of another number.
function sameMoment(run, step, numSteps) {
  return run.frames.indexOf(nearest(run.frames, (step / numSteps) * run.numSteps));
}
