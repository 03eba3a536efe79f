// Gradio tells that a run broke off, but not which; of one that was stopped it may tell seconds later, when the next one
// has been sent. The first such news after a stop is believed only where the server then stays silent.
class Losses {
  constructor(lost) {
    this.lost = lost;
    this.heardAt = -Infinity;
    this.owed = false; // the news of a run that was stopped
  }

  heard() {
    this.heardAt = performance.now();
  }

  stopped() {
    this.owed = true;
  }

  told() {
    if (!this.owed) return this.lost();
    this.owed = false;
    const now = performance.now();
    setTimeout(() => this.heardAt > now || this.lost(), 5000);
  }
}
