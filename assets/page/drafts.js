// The wall of drafts: tiles that grow together; what is chosen is starred, discarded, promoted or opened in Create.
const MOVES = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

class DraftWallView {
  constructor(root) {
    this.root = root;
    this.tiles = [];
    this.run = new RunState(root, "drafts", () => this.refresh());
    this.pictures = new Promoted(root, this.run);
    this.run.status.say("Draw many small pictures at once, choose among them, and promote the best to full size.");
    const acts = {
      ".star": () => this.star(),
      ".discard": () => this.discard(),
      ".promote-256": () => this.promote("sr256"),
      ".promote-1024": () => this.promote("sr1024"),
      ".open-draft": () => this.pictures.open(this.chosen()[0]?.link),
    };
    onClick(root, acts);
    for (const name of [".only-starred", ".with-discarded"])
      this.part(name).addEventListener("change", () => this.refresh());
    this.part(".wall").addEventListener("keydown", (event) => this.key(event));
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  take(message) {
    for (const each of this.run.unseen(message))
      if (this.run.hears(each) && !this.pictures.take(each)) this[each.kind]?.(each);
  }

  begun(message) {
    const list = this.part(".wall");
    list.replaceChildren();
    this.many = new Set(message.drafts.map((draft) => draft.prompt)).size > 1;
    this.tiles = message.drafts.map((draft, index) => this.tile(draft, index));
    list.append(...this.tiles.map((tile) => tile.root));
    this.tiles[0].button.tabIndex = 0;
    this.part(".drafts-tools").hidden = false;
    this.refresh();
    this.run.status.say(`Drawing ${this.tiles.length} drafts.`, true);
  }

  tile(draft, index) {
    const root = this.part(".draft-template").content.firstElementChild.cloneNode(true);
    const button = root.querySelector("button");
    const tile = { ...draft, index, root, button, step: 0, starred: false, discarded: false, chosen: false };
    root.querySelector(".draft-label").textContent = this.many ? `${draft.seed} · ${draft.prompt}` : String(draft.seed);
    button.addEventListener("click", () => {
      tile.chosen = !tile.chosen;
      this.rove(tile);
      this.refresh();
    });
    return tile;
  }

  async drafts(message) {
    const { steps, num_steps: all } = message;
    const [tiles, wall] = [message.drafts.map((draft) => this.tiles[draft]), this.tiles];
    this.run.status.say(`Drawing ${wall.length} drafts: step ${Math.min(...wall.map((tile) => tile.step)) + 1} of ${all}.`);
    message.drafts.forEach((draft, place) => (this.tiles[draft].step = steps[place]));
    for (const draft of message.refused) this.tiles[draft].refused = true;
    const sheet = await decoded(message.sheet);
    tiles.forEach((tile, place) => {
      if ((tile.painted || 0) > steps[place]) return; // a later sheet was decoded first
      tile.painted = steps[place];
      const [x, y] = [(place % message.columns) * 64, Math.floor(place / message.columns) * 64];
      tile.root.querySelector("canvas").getContext("2d").drawImage(sheet, x, y, 64, 64, 0, 0, 64, 64);
      tile.root.dataset.painted = steps[place];
    });
    sheet.close();
    this.refresh();
  }

  chosen() {
    return this.tiles.filter((tile) => tile.chosen && !tile.root.hidden);
  }

  star() {
    const tiles = this.chosen();
    const starred = !tiles.every((tile) => tile.starred);
    for (const tile of tiles) tile.starred = starred;
    this.refresh();
  }

  discard() {
    const tiles = this.chosen();
    const discarded = !tiles.every((tile) => tile.discarded);
    for (const tile of tiles) Object.assign(tile, { discarded, chosen: false });
    this.refresh();
    const next = this.tiles.find((tile) => !tile.root.hidden);
    if (next && document.activeElement?.closest(".draft")?.hidden) this.rove(next).focus();
  }

  promote(stage) {
    this.pictures.ask(this.chosen().map((tile) => tile.link), stage);
  }

  rove(tile) {
    for (const other of this.tiles) other.button.tabIndex = other === tile ? 0 : -1;
    return tile.button;
  }

  key(event) {
    const here = this.tiles.find((tile) => tile.button === event.target);
    if (!here || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = this.tiles.filter((tile) => !tile.root.hidden);
    const columns = getComputedStyle(this.part(".wall")).gridTemplateColumns.split(" ").length;
    const key = event.key.toLowerCase(); // Caps Lock makes capitals of them
    const move = { ...MOVES, ArrowUp: -columns, ArrowDown: columns }[event.key];
    if (move !== undefined) {
      const place = Math.max(0, Math.min(shown.length - 1, shown.indexOf(here) + move));
      this.rove(shown[place]).focus();
    } else if (key === "s" || key === "d") {
      const chosen = this.chosen();
      if (!chosen.length) here.chosen = true;
      if (key === "s") this.star();
      else this.discard();
      if (!chosen.length) here.chosen = false;
      this.refresh();
    } else return;
    event.preventDefault();
  }

  // What the tiles and the tools show of all that was chosen.
  refresh() {
    this.pictures.halt();
    const [only, all] = [this.part(".only-starred").checked, this.part(".with-discarded").checked];
    for (const tile of this.tiles) {
      tile.root.hidden = (only && !tile.starred) || (!all && tile.discarded);
      tile.button.setAttribute("aria-pressed", String(tile.chosen));
      tile.root.dataset.discarded = tile.discarded;
      tile.root.querySelector(".draft-star").hidden = !tile.starred;
      const marks = [tile.starred && "starred", tile.discarded && "discarded", tile.refused && "refused by the safety checker"];
      const words = [`Draft ${tile.index + 1}, seed ${tile.seed}`, this.many && tile.prompt, ...marks];
      tile.button.setAttribute("aria-label", words.filter(Boolean).join(", "));
    }
    const shown = this.tiles.filter((tile) => !tile.root.hidden);
    if (shown.length && !shown.some((tile) => tile.button.tabIndex === 0)) this.rove(shown[0]);
    const chosen = this.chosen();
    const count = chosen.length;
    const why = count > 16 ? "; at most 16 can be promoted at once" : chosen.some((tile) => tile.refused) ? "; a refused one cannot be promoted" : "";
    this.part(".chosen").textContent = count ? `${count} of ${shown.length} chosen${why}` : "Choose drafts with a click.";
    const off = { ".star": !count, ".discard": !count, ".open-draft": count !== 1 };
    const busy = !count || count > 16 || this.run.running || chosen.some((tile) => tile.refused);
    for (const [selector, disabled] of Object.entries({ ...off, ".promote-256": busy, ".promote-1024": busy }))
      this.part(selector).setAttribute("aria-disabled", String(disabled));
    this.part(".star").textContent = count && chosen.every((tile) => tile.starred) ? "Unstar" : "Star";
    this.part(".discard").textContent = count && chosen.every((tile) => tile.discarded) ? "Take back" : "Discard";
  }
}

const wall = new DraftWallView(element.querySelector(".drafts"));
watch("value", () => wall.take(props.value));
