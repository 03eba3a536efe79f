// What every view of a run tells: whether it goes on, what it says, what went wrong; and which messages are its own.
class RunState {
  constructor(root, name, changed) {
    this.root = root;
    this.name = name;
    this.changed = changed;
    this.current = null; // the run that is shown; null: whichever comes next
    this.seen = new Seen();
    this.status = new Status(root.querySelector(".status"));
    window.addEventListener(`imagen:begin-${name}`, () => this.await());
    this.losses = new Losses(() => this.lost());
    const stopping = { told: (text) => this.status.say(text, true), lost: () => this.lost(), stopped: () => this.stopped() };
    this.stopButton = new StopButton(`#stop-${name}`, this.losses, stopping);
    watchServer(this.losses, () => this.running);
    window.addEventListener(`imagen:lost-${name}`, () => this.losses.told());
    watchQueue(`${name}-queue`, (text) => {
      this.losses.heard();
      if (this.running) this.status.say(text);
      this.stopButton.answered();
    });
  }

  unseen(message) {
    return this.seen.unseen(message);
  }

  // Whether the view has to show this message; those that are the same for all views are dealt with here.
  hears(message) {
    if (!message || !message.kind || message.kind === "none") return false;
    this.losses.heard();
    if (["begun", "promoting"].includes(message.kind)) {
      this.current = message.run;
      this.begin();
      this.stopButton.answered();
    } else if (message.run && this.current && message.run !== this.current) return false; // late words of a stopped run
    else if (this.doubtful && message.run) this.begin(); // it was not lost: the server was only silent
    if (message.kind === "refused") this.problem(message.text);
    else if (message.kind === "note") this.status.say(message.text, true);
    else if (message.kind === "finished") this.end("finished", `Finished in ${message.seconds.toFixed(1)} s.`);
    else if (message.kind === "stopped") this.stopped();
    else if (message.kind === "failed") this.end("failed", "The run broke off. What was drawn before stays.", message.text);
    else return true;
    return false;
  }

  // Between the click and the server's first answer; `again` sends the same once more.
  await(again = () => document.querySelector(`#draw-${this.name}`).click()) {
    if (this.running) return;
    this.current = null;
    this.losses.heard();
    this.status.say("Sent; waiting for its turn.", true);
    this.begin();
    window.dispatchEvent(new Event("imagen:sent"));
    this.stopButton.begin(again);
  }

  begin() {
    this.doubtful = false;
    this.problem("");
    this.set("running");
  }

  stopped() {
    this.end("stopped", "Stopped. What was drawn so far stays.");
  }

  lost() {
    if (!this.running) return;
    const why = "The server did not take the run, or the connection to it broke: wait a little and try again.";
    this.doubtful = true;
    this.end("failed", "Nothing more will come of this run.", why);
  }

  end(state, text, problem = "") {
    if (!this.running && !(state === "stopped" && this.doubtful)) return;
    if (state === "stopped") {
      this.losses.stopped();
      this.doubtful = false; // the server has answered
    }
    if (state !== "finished" && !this.doubtful) this.current = "none";
    this.set(state);
    this.status.say(text, true);
    this.problem(problem);
  }

  get state() {
    return this.root.dataset.state;
  }

  get running() {
    return this.state === "running";
  }

  set(state) {
    this.root.dataset.state = state;
    if (state !== "running") this.stopButton.over();
    document.querySelector(`#stop-${this.name}`)?.setAttribute("aria-disabled", String(state !== "running"));
    document.querySelector(`#draw-${this.name}`)?.setAttribute("aria-disabled", String(state === "running"));
    this.changed();
  }

  problem(text) {
    const problem = this.root.querySelector(".problem");
    problem.textContent = text;
    problem.hidden = !text;
  }
}

// Let every button of `acts`, by its selector, act when it is not marked as disabled.
function onClick(root, acts) {
  for (const [selector, act] of Object.entries(acts)) {
    const button = root.querySelector(selector);
    button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || act());
  }
}

async function decoded(address) {
  const data = await fetch(address);
  return createImageBitmap(await data.blob());
}

function paint(canvas, picture) {
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  picture.close();
}
