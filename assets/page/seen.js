// Messages that come in one moment are one change to the page, which sees the last alone; and gradio brings the last one of
// a run twice. So the first messages of a run repeat, in `before`, how it began.
class Seen {
  constructor() {
    this.numbers = new Map(); // run -> number of its newest message
  }

  // The message and what it repeats, in their order, without what was seen.
  unseen(message) {
    if (!message?.run) return [message];
    const last = this.numbers.get(message.run) || 0;
    this.numbers.set(message.run, Math.max(last, message.number));
    return [...(message.before || []), message].filter(({ number }) => number > last);
  }
}
