// Pictures that are promoted: each grows in a card of its own, and ends as a PNG with its recipe.
const PROMOTED_HELD = 32; // finished pictures, whose files the page holds; older ones are in the history
const HALTED = { stopped: "stopped", failed: "broke off" }; // what is told of that which a run did not finish

class Promoted {
  constructor(root, run) {
    this.root = root;
    this.run = run;
    this.cards = []; // those that were asked for last
    this.finished = []; // cards, the oldest first
  }

  ask(links, stage) {
    const send = () => trigger("promote", { links, last_stage: stage });
    this.run.await(send);
    send();
  }

  open(link) {
    if (!link) return;
    trigger("choose", { link });
    showTab("Create"); // where it is told what became of it, or asked
    window.scrollTo({ top: 0 });
  }

  // Whether a message was about promoted pictures.
  take(message) {
    const method = { promoting: "begin", promoted_step: "step", promoted: "done" }[message.kind];
    if (method) this[method](message);
    return Boolean(method);
  }

  begin(message) {
    this.cards = message.pictures.map((picture) => this.card(picture));
    const list = this.root.querySelector(".promoted-list");
    list.prepend(...this.cards.map((card) => card.root));
    list.scrollIntoView({ block: "nearest" });
    this.run.status.say(`Promoting ${this.cards.length === 1 ? "one picture" : `${this.cards.length} pictures, each alone`}.`, true);
  }

  card(picture) {
    const root = this.root.querySelector(".promoted-template").content.firstElementChild.cloneNode(true);
    const part = (selector) => root.querySelector(selector);
    root.dataset.seed = picture.seed;
    part(".open-promoted").addEventListener("click", () => this.open(picture.link));
    part(".open-promoted").setAttribute("aria-label", `Open in Create: seed ${picture.seed}`);
    part(".remove-promoted").addEventListener("click", () => this.remove(card));
    part(".remove-promoted").setAttribute("aria-label", `Remove: seed ${picture.seed}`);
    const card = { ...picture, root, part };
    this.tell(card, "waits for its turn", "in work");
    return card;
  }

  tell(card, text, label) {
    card.part(".promoted-state").textContent = `Seed ${card.seed}: ${text}`;
    card.part("canvas").setAttribute("aria-label", `${card.prompt}, seed ${card.seed}, ${label}`);
    card.part(".remove-promoted").hidden = label === "in work";
  }

  // The run has ended: what it did not finish says so, and can be put away.
  halt() {
    const how = HALTED[this.run.state];
    for (const card of this.cards) if (how && card.root.dataset.state !== "done") this.tell(card, how, how);
  }

  // Put a card away, with the copy of its file. Who was on it with the keyboard goes on at the next one.
  remove(card) {
    const next = card.root.nextElementSibling || card.root.previousElementSibling;
    const here = card.root.contains(document.activeElement);
    card.root.remove();
    card.kept?.release();
    this.finished = this.finished.filter((other) => other !== card);
    if (!here) return;
    const focused = next ? next.querySelector(".open-promoted") : this.root.querySelector(".promoted-list");
    focused.focus();
  }

  async step(message) {
    const card = this.cards[message.picture];
    if (!card) return;
    this.tell(card, `${message.size} pixels, step ${message.step} of ${message.num_steps}`, "in work");
    card.newest = message.number;
    const picture = await decoded(message.x_0);
    if (card.newest === message.number) paint(card.part("canvas"), picture);
    else picture.close();
  }

  done(message) {
    const card = this.cards[message.picture];
    if (!card || !card.root.parentElement) return; // it seemed to have broken off, and was put away
    const address = message.file.file.url;
    card.kept = new KeptFile(address, (copy) => Object.assign(card.part(".save"), { href: copy }));
    saveKept(card.part(".save"), () => card.kept, (text) => this.run.problem(text));
    Object.assign(card.part("img"), { src: address, alt: `${card.prompt}, seed ${card.seed}`, hidden: false });
    card.part("canvas").hidden = true;
    card.part(".remove-promoted").hidden = false;
    card.part(".promoted-state").textContent = `Seed ${card.seed}, ${message.size} pixels`;
    Object.assign(card.part(".save"), { href: address, download: message.file.name, hidden: false });
    card.part(".save").setAttribute("aria-label", `Download PNG: seed ${card.seed}`);
    card.root.dataset.state = "done";
    remember([message.file], [address]);
    this.finished.push(card);
    if (this.finished.length > PROMOTED_HELD) this.remove(this.finished[0]);
  }
}
