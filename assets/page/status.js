// The status line. It speaks at most every 1.5 seconds, the newest sentence wins, and important ones come at once.
class Status {
  constructor(root) {
    this.root = root;
    this.next = null;
    this.last = 0;
  }

  say(text, important = false) {
    this.next = text;
    const wait = important ? 0 : this.last + 1500 - performance.now();
    clearTimeout(this.timer);
    if (wait <= 0) this.show();
    else this.timer = setTimeout(() => this.show(), wait);
  }

  show() {
    this.last = performance.now();
    if (this.root.textContent !== this.next) this.root.textContent = this.next;
  }
}

function sizes(stages) {
  const words = STAGES.filter((stage) => stages.includes(stage.name)).map((stage) => String(stage.size));
  return `${words.join(" and ")} pixels`;
}
