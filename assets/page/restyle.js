// Other words and an aug_level for the stages that enlarge, on one small picture. A change is drawn after a short rest;
// a run that is still going on is stopped for it.
const RESTYLE_REST = 600; // milliseconds

class Restyle {
  constructor(root, runs) {
    Object.assign(this, { root, runs, of: "", running: false, sent: false, again: false, asked: null });
    this.words = root.querySelector(".restyle-words input");
    this.level = root.querySelector(".restyle-level input");
    this.output = root.querySelector("output");
    root.addEventListener("input", () => this.changed());
    this.tell();
  }

  // A run is there to be restyled, or is restyled.
  show(run) {
    this.root.hidden = !run || !run.finished || run.stages.length < 2;
    if (this.root.hidden || this.again || this.timer) return; // what is being chosen is not overwritten
    this.of = run.restyle ? run.restyle.of : run.link;
    this.words.value = run.restyle ? run.restyle.prompt : "";
    this.level.value = run.restyle ? run.restyle.level : this.level.defaultValue;
    this.tell();
  }

  tell() {
    const level = Number(this.level.value).toFixed(2);
    write(this.output, level);
  }

  changed() {
    this.tell();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), RESTYLE_REST);
  }

  send() {
    this.timer = 0;
    this.again = this.sent || this.running;
    if (this.sent) return; // the server has not begun the one before: it is stopped when it does
    if (this.running) return document.querySelector("#stop").click();
    this.sent = true;
    const [prompt, level] = [this.words.value, Number(this.level.value)];
    this.asked = { of: this.of, prompt, level };
    window.imagenRestyle = JSON.stringify({ link: this.of, prompt, aug_level: level });
    document.querySelector("#restyle-run").click();
  }

  // The form holds what was asked for and its run is sent; or it is not, because another one came between.
  filled(draws) {
    if (!draws) return this.over();
    this.runs.restyle = this.asked;
    this.asked = null;
  }

  begun() {
    if (!this.runs.current.restyle) return;
    this.sent = false;
    if (this.again) document.querySelector("#stop").click();
  }

  // What was sent will not begin.
  over() {
    Object.assign(this, { sent: false, again: false, asked: null });
    this.runs.restyle = null;
  }

  goes(running) {
    this.running = running;
    if (running || !this.again) return;
    this.again = false;
    // The run's end is told to all first; if it was drawn to its end after all, `show` must not bring its values back.
    this.timer = setTimeout(() => this.send());
  }
}
