// Presses on Stop. Before the server has answered that it has the run there is nothing to stop: gradio cannot take back
// what has no number, and the run would begin after all. So such a press is kept until the run waits or begins.
class StopButton {
  constructor(selector, losses, told) {
    this.selector = selector;
    this.over();
    const pressed = (event) => {
      const button = event.target.closest?.(selector);
      if (!button || button.getAttribute("aria-disabled") === "true") return;
      if (!this.sent) return losses.stop();
      event.stopImmediatePropagation();
      this.kept = true;
      told("Stopping as soon as the server answers.");
    };
    window.addEventListener("click", pressed, true); // before gradio hears of it
  }

  // A run was sent.
  begin() {
    Object.assign(this, { sent: true, kept: false });
  }

  // The server has it.
  answered() {
    const { kept } = this;
    this.over();
    if (kept) document.querySelector(this.selector).click();
  }

  over() {
    Object.assign(this, { sent: false, kept: false });
  }
}
