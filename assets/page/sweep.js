// The sweep: a table of cells that fill one after another; one that is chosen is opened in Create or promoted.
const SHEET_GONE = "The server no longer keeps this sheet: press Draw the sweep to make it again.";

class SweepView {
  constructor(root) {
    this.root = root;
    this.cells = [];
    this.run = new RunState(root, "sweep", () => this.refresh());
    this.pictures = new Promoted(root, this.run);
    this.run.status.say("Vary one or two settings of the recipe in Create and compare: every cell begins from the same noise.");
    const acts = {
      ".open-cell": () => this.pictures.open(this.cells[this.chosen].link),
      ".promote-cell": () => this.pictures.ask([this.cells[this.chosen].link], "sr1024"),
      ".copy-sweep": () => this.copy(),
    };
    onClick(root, acts);
    saveKept(this.part(".save-sheet"), () => this.file, () => this.run.problem(SHEET_GONE));
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  take(message) {
    for (const each of this.run.unseen(message))
      if (this.run.hears(each) && !this.pictures.take(each)) this[each.kind]?.(each);
  }

  begun(message) {
    Object.assign(this, { link: message.link, page: message.page, chosen: null, count: 0 });
    const [x, y] = message.axes;
    this.part("caption").textContent = y ? `Along a row: ${x.name}. Down: ${y.name}.` : `Along the row: ${x.name}.`;
    const head = this.part("thead tr");
    head.replaceChildren(...(y ? [document.createElement("td")] : []), ...x.labels.map((label) => this.heading(label, "col")));
    const rows = y ? y.labels : [null];
    this.cells = message.links.map((link, index) => this.cell(link, [x.labels[index % x.labels.length], rows[Math.floor(index / x.labels.length)]]));
    this.part("tbody").replaceChildren(...rows.map((label, row) => {
      const line = document.createElement("tr");
      if (label !== null) line.append(this.heading(label, "row"));
      line.append(...this.cells.slice(row * x.labels.length, (row + 1) * x.labels.length).map((cell) => cell.root));
      return line;
    }));
    this.part(".wall-part").hidden = false;
    this.part(".save-sheet").hidden = true;
    this.file?.release();
    this.refresh();
    this.run.status.say(`Drawing ${this.cells.length} cells.`, true);
  }

  heading(label, scope) {
    const heading = document.createElement("th");
    Object.assign(heading, { textContent: label, scope });
    return heading;
  }

  cell(link, labels) {
    const root = this.part(".cell-template").content.firstElementChild.cloneNode(true);
    const cell = { link, root, button: root.querySelector("button"), label: labels.filter((label) => label !== null).join(", ") };
    cell.button.addEventListener("click", () => {
      const index = this.cells.indexOf(cell);
      this.chosen = this.chosen === index ? null : index;
      this.refresh();
    });
    return cell;
  }

  cell_steps(message) {
    message.steps.forEach(async (step) => {
      const cell = this.cells[step.cell];
      cell.root.querySelector(".cell-state").textContent = `${step.size} px, ${step.step} of ${step.num_steps}`;
      cell.newest = message.number;
      this.show(cell, message, await decoded(step.x_0));
    });
  }

  async cell_done(message) {
    const cell = this.cells[message.cell];
    cell.done = true;
    cell.root.querySelector(".cell-state").textContent = `${message.seconds.toFixed(1)} s`;
    cell.newest = message.number;
    this.count += 1;
    this.run.status.say(`Drew ${this.count} of ${this.cells.length} cells.`);
    this.show(cell, message, await decoded(message.x_0));
    cell.root.dataset.state = "done";
  }

  show(cell, message, picture) {
    if (cell.newest === message.number) paint(cell.root.querySelector("canvas"), picture);
    else picture.close();
  }

  sheet(message) {
    const link = this.part(".save-sheet");
    const file = new KeptFile(message.file.file.url, (copy) => this.file === file && Object.assign(link, { href: copy }));
    this.file = file;
    Object.assign(link, { href: file.address, download: message.file.name, hidden: false });
  }

  async copy() {
    const button = this.part(".copy-sweep");
    const copied = await writeClipboard(`${this.page || location.origin + location.pathname}?${this.link}`);
    button.textContent = copied ? "Link copied" : "Copy failed";
    setTimeout(() => (button.textContent = "Copy the sweep's link"), 2000);
  }

  // The run has ended: the cells that it did not finish say so.
  halt() {
    const how = HALTED[this.run.state];
    for (const cell of this.cells) {
      const state = cell.root.querySelector(".cell-state");
      const told = cell.done || Object.values(HALTED).includes(state.textContent);
      if (how && !told) state.textContent = how;
    }
  }

  refresh() {
    this.pictures.halt();
    this.halt();
    const cell = this.cells?.[this.chosen];
    this.cells?.forEach((other, index) => {
      other.button.setAttribute("aria-pressed", String(other === cell));
      other.button.setAttribute("aria-label", `Cell ${index + 1}: ${other.label}`);
    });
    this.part(".chosen").textContent = cell ? `Chosen: ${cell.label}` : "Choose a cell with a click.";
    this.part(".open-cell").setAttribute("aria-disabled", String(!cell));
    this.part(".promote-cell").setAttribute("aria-disabled", String(!cell || this.run.running));
  }
}

const sweep = new SweepView(element.querySelector(".sweep"));
watch("value", () => sweep.take(props.value));
sweep.take(props.value); // a link that was opened before the tab was shown
