// Presses on Stop. Before the server has answered that it has the run there is nothing to stop: gradio cannot take back
// what has no number, and the run would begin after all. So such a press is kept until the run waits or begins; a second
// one does not wait for that. `acts` are told(text), lost() and stopped().
class StopButton {
  constructor(selector, losses, acts) {
    this.selector = selector;
    this.run = new SentRun(() => (this.kept ? this.leave(acts) : acts.lost()));
    this.left = false; // the visitor is told that it was stopped: should it begin after all, it is stopped then
    this.over();
    const pressed = (event) => {
      const button = event.target.closest?.(selector);
      if (!button || button.getAttribute("aria-disabled") === "true") return;
      if (!this.sent) return losses.stop();
      event.stopImmediatePropagation();
      if (this.kept) return this.leave(acts);
      this.kept = true;
      acts.told("Stopping as soon as the server answers. Press Stop again not to wait for that.");
    };
    window.addEventListener("click", pressed, true); // before gradio hears of it
  }

  // A run was sent; `again` sends it once more.
  begin(again) {
    Object.assign(this, { sent: true, kept: false, left: false });
    this.run.begin(() => this.kept || again());
  }

  // The server has it.
  answered() {
    const stop = this.kept || this.left;
    this.left = false;
    this.over();
    if (stop) document.querySelector(this.selector).click();
  }

  leave(acts) {
    acts.stopped();
    this.left = true;
  }

  over() {
    Object.assign(this, { sent: false, kept: false });
    this.run.over();
  }
}
