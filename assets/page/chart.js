// A small line chart of one instrument over the steps of all stages; its places are those of the timeline.
const SVG = "http://www.w3.org/2000/svg";

class Chart {
  constructor(instrument, seekShare) {
    this.instrument = instrument;
    this.root = document.createElement("figure");
    this.root.className = "chart";
    this.root.innerHTML =
      '<figcaption><span class="chart-name"></span><b class="chart-value"></b></figcaption><p class="chart-unit"></p>' +
      '<div class="chart-body" role="img"><div class="chart-range"><span></span><span></span></div>' +
      '<div class="chart-plot"><div class="chart-mark"></div><div class="chart-dot"></div></div>' +
      '<div class="chart-stages"></div></div>';
    this.part(".chart-name").textContent = instrument.name;
    this.part(".chart-unit").textContent = instrument.unit;
    [this.value, this.body, this.plot, this.mark, this.dot] =
      [".chart-value", ".chart-body", ".chart-plot", ".chart-mark", ".chart-dot"].map((name) => this.part(name));
    this.range = [...this.root.querySelectorAll(".chart-range span")];
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("preserveAspectRatio", "none");
    this.svg.setAttribute("viewBox", "0 0 1 1");
    this.plot.prepend(this.svg);
    Object.assign(this, { width: 0, height: 0, low: 0, high: 1 });
    new ResizeObserver(([{ contentRect }]) => {
      Object.assign(this, { width: contentRect.width, height: contentRect.height });
      this.moved();
    }).observe(this.plot);
    let left = 0;
    const point = (event) => this.width && seekShare((event.clientX - left) / this.width);
    this.plot.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      this.plot.setPointerCapture(event.pointerId);
      ({ left } = this.plot.getBoundingClientRect());
      point(event);
    });
    this.plot.addEventListener("pointermove", (event) => this.plot.hasPointerCapture(event.pointerId) && point(event));
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  // `lines` are lists of [share of the width, value], each with a `kind`; `stages` have a size and a number of steps.
  draw(lines, stages) {
    const values = lines.flatMap(({ places }) => places.map(([, value]) => value));
    const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 1];
    const { least, floor } = this.instrument;
    const room = high - low < least ? least / 2 : 0; // else the noise of a flat line would fill the chart
    Object.assign(this, { low: Math.max(floor ?? -Infinity, low - room), high: high + room, bounds: [low, high] });
    write(this.range[0], this.instrument.text(this.high));
    write(this.range[1], this.instrument.text(this.low));
    this.svg.replaceChildren(...lines.flatMap((line) => this.paths(line)));
    const labels = stages.map(({ size, numSteps }) => {
      const label = document.createElement("span");
      label.textContent = numSteps > 1 ? `${size} px\n${numSteps} steps` : `${size} px`;
      return label;
    });
    this.part(".chart-stages").replaceChildren(...labels);
    this.plot.style.setProperty("--stages", stages.length || 1);
  }

  // The line, and where they stay apart its points.
  paths({ kind, places }) {
    const at = places.map(([share, value]) => `${share.toFixed(5)} ${(1 - this.height01(value)).toFixed(4)}`);
    const shapes = [[kind, `M${at.join("L")}`]];
    if (kind === "now" && places.length <= 40) shapes.push(["points", at.map((place) => `M${place}h0`).join("")]);
    return places.length ? shapes.map(([name, d]) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", name);
      path.setAttribute("d", d);
      return path;
    }) : [];
  }

  height01(value) {
    return (value - this.low) / (this.high - this.low);
  }

  // Mark the cursor's step: its share of the width and its value, null where there is none.
  move(share, value, moment) {
    this.cursor = { share, value };
    const text = value === null ? "–" : this.instrument.text(value);
    write(this.value, text);
    const range = this.bounds ? `, in this run from ${this.bounds.map(this.instrument.text).join(" to ")}` : "";
    this.body.setAttribute("aria-label", `${this.instrument.name} at ${moment}: ${text}${range}`);
    this.moved();
  }

  moved() {
    if (!this.cursor || !this.width) return;
    const { share, value } = this.cursor;
    this.mark.style.transform = `translateX(${share * this.width}px)`;
    this.dot.hidden = value === null;
    if (value === null) return;
    this.dot.style.transform = `translate(${share * this.width}px, ${(1 - this.height01(value)) * this.height}px)`;
  }
}
