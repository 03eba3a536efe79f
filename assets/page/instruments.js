// The instruments of every step under the timeline, one chart each. Nothing is drawn while they are folded up.
const INSTRUMENTS = [
  { key: "log_snr", name: "log-SNR", unit: "natural log of picture to noise", least: 0.1, text: (value) => signed(value) },
  { key: "threshold", name: "threshold s", unit: "1 is the edge of the colours", least: 0.1, text: (value) => value.toFixed(2) },
  { key: "clipped_share", name: "clipped", unit: "share of colour values", least: 0.01, floor: 0, text: (value) => `${(100 * value).toFixed(1)} %` },
  { key: "guidance_norm", name: "guidance", unit: "RMS of what the prompt changes in x₀", least: 0.01, floor: 0, text: (value) => value.toFixed(3) },
  { key: "cosine", name: "cosine", unit: "between noise with and without the prompt", least: 0.001, text: (value) => signed(value, 4) },
  { key: "change", name: "change of x₀", unit: "RMS since the step before", least: 0.01, floor: 0, text: (value) => value.toFixed(3) },
  { key: "text_share", name: "attention to text", unit: "share that “no text” does not get", least: 0.01, floor: 0, rare: true, text: (value) => `${(100 * value).toFixed(1)} %` },
];

class Instruments {
  constructor(root, timeline, look) {
    this.root = root;
    this.timeline = timeline;
    this.look = look;
    this.charts = INSTRUMENTS.map((instrument) => new Chart(instrument, (share) => timeline.seekShare(share)));
    root.querySelector(".charts").append(...this.charts.map((chart) => chart.root));
    this.redraw = oncePerFrame(() => this.paint());
    this.drawn = [];
    root.addEventListener("toggle", this.redraw);
    timeline.watchers.push(this.redraw);
  }

  paint() {
    const { timeline, look } = this;
    this.root.hidden = !timeline.here;
    if (this.root.hidden || !this.root.open) return;
    const lanes = timeline.shown;
    const drawn = [look.image, ...lanes.flatMap(({ points, kept }) => [points, points.length, kept])];
    const same = drawn.length === this.drawn.length && drawn.every((each, i) => each === this.drawn[i]);
    if (!same) for (const chart of this.charts) this.draw(chart, lanes);
    this.drawn = drawn;
    this.move();
  }

  draw(chart, lanes) {
    const lines = lanes.flatMap((lane, place) => {
      const line = (kind, run) => ({ kind, places: this.places(chart.instrument.key, run, place, lanes.length) });
      return lane.kept ? [line("kept", lane.kept), line("now", lane)] : [line("now", lane)];
    });
    chart.root.hidden = Boolean(chart.instrument.rare) && !lines.some(({ places }) => places.length);
    chart.draw(lines, lanes.map((lane) => ({ size: lane.stage.size, numSteps: lane.numSteps })));
  }

  places(key, run, place, lanes) {
    return run.points
      .map(({ step, stats }) => [(place + (step - 0.5) / run.numSteps) / lanes, this.number(stats, key, run)])
      .filter(([, value]) => Number.isFinite(value));
  }

  number(stats, key, run) {
    return key === "log_snr" ? stats.log_snr : (stats[key] || [])[Math.min(this.look.image, run.numImages - 1)];
  }

  move() {
    const { lane, frame, share } = this.timeline.here;
    const moment = `${lane.stage.size} pixels, step ${frame.step} of ${lane.numSteps}`;
    for (const chart of this.charts) {
      const value = frame.stats ? this.number(frame.stats, chart.instrument.key, lane) : null;
      chart.move(share, Number.isFinite(value) ? value : null, moment);
    }
  }
}
