// The runs of this visit, each under the one that it leaves; a click brings one back.

class RunTree {
  constructor(root, lanes, bringBack) {
    Object.assign(this, { lanes, bringBack, runs: [], current: null, newest: null, memory: new RunMemory(lanes) });
    this.root = root.querySelector(".runs");
    this.list = root.querySelector(".run-tree");
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button && button.getAttribute("aria-disabled") !== "true") this.pick(this.runs[button.dataset.run]);
    });
  }

  // A run begins. One of the same recipe is the same run again.
  begun({ run: id, prompt, seed, link, fork, num_images: numImages, stages }) {
    const restyle = this.restyle || null; // {of, prompt, level}, where the view has asked for this run
    this.restyle = null;
    this.current = this.newest = { id, prompt, seed, link, fork, numImages, stages, restyle, state: "running", lanes: new Map(), finished: null };
    Object.assign(this.current, { begunAt: performance.now(), released: false });
  }

  // It was believed lost, which ended it here, and goes on.
  goesOn(id) {
    if (this.newest?.id !== id) return; // what was believed lost had not begun
    this.current = this.newest;
    this.current.state = "running";
    this.paint();
  }

  // It ended, finished or not: keep what it has drawn.
  ended(state, finished = null) {
    const run = this.current;
    if (!run || run.state !== "running") return;
    if (run.restyle && state !== "finished") {
      this.current = null; // the dial was moved on; its steps are still on the screen, so no other run is current
      return;
    }
    Object.assign(run, { state, finished });
    for (const lane of this.lanes) run.lanes.set(lane.stage.name, lane.held());
    const drawn = this.lanes.filter((lane) => lane.frames.length);
    if (!drawn.length) return;
    const { frames } = drawn[drawn.length - 1];
    run.thumbnail = frames[frames.length - 1].addresses.x_0[0];
    const same = this.runs.findIndex((other) => other.link === run.link);
    const before = this.runs[same]; // the run itself, where it was believed lost
    if (before && before !== run) for (const file of heldFiles(before)) file.kept.release();
    this.runs.splice(same < 0 ? this.runs.length : same, 1, run);
    this.memory.trim(this.runs, run);
    if (run.fork || run.restyle) this.root.open = true;
    this.paint();
  }

  pick(run) {
    this.current = run;
    this.bringBack(run);
    this.memory.trim(this.runs, run);
    this.paint();
  }

  find(link) {
    return this.runs.find((run) => run.link === link);
  }

  // What the run that goes on took over from its parent at a stage, if the parent's steps are still here.
  inherited(stage) {
    const { fork, restyle } = this.current || {};
    const parent = restyle ? stage === "base" && this.find(restyle.of) : fork && this.find(fork.parent.link);
    return parent && parent.lanes.get(stage);
  }

  parent(run) {
    if (run.restyle && run.restyle.of !== run.link) return this.find(run.restyle.of);
    return run.fork ? this.find(run.fork.parent.link) : undefined;
  }

  paint() {
    const focused = this.list.contains(document.activeElement) && document.activeElement.dataset.run;
    this.root.hidden = this.runs.length < 2;
    const under = (parent) => this.runs.filter((run) => this.parent(run) === parent);
    const branch = (run) => {
      const item = document.createElement("li");
      const children = under(run);
      item.append(this.button(run));
      if (children.length) {
        const list = document.createElement("ul");
        list.append(...children.map(branch));
        item.append(list);
      }
      return item;
    };
    this.list.replaceChildren(...under(undefined).map(branch));
    if (focused) this.list.querySelector(`[data-run="${focused}"]`)?.focus();
    this.busy(this.running);
  }

  button(run) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "run" });
    const picture = Object.assign(document.createElement("img"), { src: run.thumbnail, alt: "", width: 48, height: 48 });
    const text = document.createElement("span");
    text.textContent = runName(run);
    const place = document.createElement("small");
    place.textContent = [run.restyle ? restyleName(run.restyle) : run.fork && placeName(run.fork), run.state !== "finished" && run.state, run.released && "last pictures only"].filter(Boolean).join(" · ");
    text.append(place);
    button.append(picture, text);
    button.dataset.run = this.runs.indexOf(run);
    if (run === this.current) button.setAttribute("aria-current", "true");
    return button;
  }

  // While a run goes on, none can be brought back.
  busy(running) {
    this.running = running;
    for (const button of this.list.querySelectorAll("button")) button.setAttribute("aria-disabled", String(Boolean(running)));
  }
}

function placeName({ stage, step, history }) {
  const { size } = STAGES.find((each) => each.name === stage);
  return step ? `from step ${step} at ${size} pixels, solver ${history}` : `from the start of ${size} pixels`;
}

function restyleName({ prompt, level }) {
  const words = prompt.length > 60 ? `${prompt.slice(0, 60)}…` : prompt;
  return `restyled${words ? ` with “${words}”` : ""}, aug_level ${level.toFixed(2)}`;
}
