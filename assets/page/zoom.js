// A look at single pixels: every picture is enlarged around the same place, so that the sizes can be compared there.
const ZOOM_LEVELS = [2, 4, 8, 16];
const FINGERS = window.matchMedia("(pointer: coarse)");

class Zoom {
  constructor(root, changed) {
    this.root = root;
    this.changed = changed;
    this.lanes = root.querySelector(".lanes");
    this.button = root.querySelector(".zoom");
    Object.assign(this, { on: false, level: 1, x: 0.5, y: 0.5 });
    this.button.addEventListener("click", () => this.toggle());
    root.querySelector(".zoom-out").addEventListener("click", () => this.change(-1));
    root.querySelector(".zoom-in").addEventListener("click", () => this.change(1));
    root.querySelector(".zoom-tools").addEventListener("keydown", (event) => this.key(event));
    this.lanes.addEventListener("keydown", (event) => this.key(event));
    for (const picture of this.lanes.querySelectorAll(".picture")) this.listen(picture);
    this.show();
  }

  // A press that does not move goes in where it is, or out; one that moves takes the picture along.
  listen(picture) {
    let drag = null;
    picture.addEventListener("pointerdown", (event) => {
      drag = this.on && event.button === 0 ? { x: event.clientX, y: event.clientY, far: 0 } : null;
      if (drag) picture.setPointerCapture(event.pointerId);
    });
    picture.addEventListener("pointermove", (event) => {
      if (!drag || !picture.hasPointerCapture(event.pointerId)) return;
      const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
      drag = { x: event.clientX, y: event.clientY, far: drag.far + Math.abs(dx) + Math.abs(dy) };
      const scale = -1 / (picture.clientWidth * (this.factor - 1));
      this.pan(dx * scale, dy * scale);
    });
    picture.addEventListener("click", (event) => {
      if (FINGERS.matches) return; // a finger that scrolls the page touches a picture by the way; the button zooms
      if (drag && drag.far > 5) return;
      if (!this.on) {
        if (picture.hasAttribute("data-empty")) return;
        const box = picture.getBoundingClientRect();
        Object.assign(this, { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
      }
      this.toggle();
      if (this.on) picture.focus({ preventScroll: true }); // for the keys
    });
  }

  get factor() {
    return ZOOM_LEVELS[this.level];
  }

  toggle() {
    const focused = document.activeElement.closest(".picture, .zoom-levels"); // neither takes the focus without the zoom
    this.on = !this.on;
    this.show();
    if (focused && !this.on) this.button.focus({ preventScroll: true });
    this.changed(this.on);
  }

  change(by) {
    this.level = Math.max(0, Math.min(ZOOM_LEVELS.length - 1, this.level + by));
    this.show();
  }

  pan(dx, dy) {
    this.x = Math.max(0, Math.min(1, this.x + dx));
    this.y = Math.max(0, Math.min(1, this.y + dy));
    this.show();
  }

  key(event) {
    if (!this.on || event.target.closest("[role=slider]") || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 1 / 8 / (this.factor - 1); // an eighth of what is in sight
    const acts = {
      ArrowLeft: () => this.pan(-step, 0), ArrowRight: () => this.pan(step, 0),
      ArrowUp: () => this.pan(0, -step), ArrowDown: () => this.pan(0, step),
      "+": () => this.change(1), "-": () => this.change(-1), Escape: () => this.toggle(),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  }

  show() {
    const { lanes, on } = this;
    this.button.setAttribute("aria-pressed", String(on));
    this.root.querySelector(".zoom-levels").hidden = !on;
    write(this.root.querySelector(".zoom-level"), `${this.factor} ×`);
    lanes.toggleAttribute("data-zoomed", on);
    lanes.style.setProperty("--zoom", on ? this.factor : 1);
    lanes.style.setProperty("--zoom-x", `${100 * this.x}%`);
    lanes.style.setProperty("--zoom-y", `${100 * this.y}%`);
    const focusable = { tabindex: 0, role: "group", "aria-label": "Enlarged picture: arrows move it, Escape leaves" };
    for (const picture of lanes.querySelectorAll(".picture")) {
      for (const [name, value] of Object.entries(focusable)) {
        if (on) picture.setAttribute(name, value);
        else picture.removeAttribute(name);
      }
    }
  }
}
