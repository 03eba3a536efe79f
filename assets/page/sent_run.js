// A run between the press that sends it and the server's first word of it: a place in the queue, which it tells every
// second, or the run's beginning. Gradio passes over a press while the run before is still in its books, which may be
// longer than the page shows that one. Pressing again does no harm: it takes no second run beside one that it has.
const SENT_AGAIN = [800, 3000, 6000]; // milliseconds
const SENT_IN_VAIN = 10000;

class SentRun {
  constructor(inVain) {
    Object.assign(this, { inVain, timers: [] });
  }

  begin(again) {
    this.over();
    const rests = [...SENT_AGAIN.map((rest) => [again, rest]), [this.inVain, SENT_IN_VAIN]];
    this.timers = rests.map(([act, rest]) => setTimeout(act, rest));
  }

  over() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = [];
  }
}
