// Gradio tells that a run broke off, but not which; of one that was stopped it may tell seconds later, when the next one
// has been sent, and before the server has answered the press on Stop. Such news after a stop are believed only where the
// server then stays silent: the first, and all that come before that answer.
class Losses {
  constructor(lost) {
    this.lost = lost;
    this.heardAt = -Infinity;
    this.owed = false; // the news of a run that was stopped
    this.stopping = false; // Stop was pressed, and the server has not answered
  }

  heard() {
    this.heardAt = performance.now();
  }

  stop() {
    this.stopping = true;
  }

  stopped() {
    Object.assign(this, { owed: true, stopping: false });
  }

  told() {
    if (!this.owed && !this.stopping) return this.lost();
    this.owed = false;
    const now = performance.now();
    setTimeout(() => this.heardAt > now || this.lost(), 5000);
  }
}
