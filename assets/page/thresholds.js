// The estimate of the cursor's step after each kind of thresholding. Nothing is asked of the server while it is folded up;
// open, it asks for all steps of the cursor's stage that the page holds, once the cursor rests there and nothing runs.
const THRESHOLD_REST = 400; // milliseconds
const LOST_COMPARISON = "The server did not take it, or the connection to it broke: press Generate to try again.";
const KINDS_OF_THRESHOLDING = [
  { kind: "none", title: "None", told: ({ largest }) => `Colours reach ${largest.toFixed(2)}; a screen cuts at 1.` },
  { kind: "static", title: "Static", told: ({ clipped }) => `Cut at 1: ${clipped} of the values.` },
  { kind: "dynamic", title: "Dynamic", told: ({ s, clipped }) => s > 1 ? `s = ${s.toFixed(2)}: ${clipped} cut there, all divided by it.` : `s = ${s.toFixed(2)}, below 1: cut at 1, ${clipped}.` },
];

class Thresholds {
  constructor(root, view, ask) {
    Object.assign(this, { root, view, ask, run: "", link: "", held: new Map(), wanted: null, problem: "", letGoAt: -Infinity });
    this.note = new Status(root.querySelector(".threshold-note")); // else it would speak at every move of the cursor
    this.mark = root.querySelector(".threshold-mark");
    this.figures = KINDS_OF_THRESHOLDING.map((each) => this.figure(each));
    root.querySelector(".thresholds").append(...this.figures.map((figure) => figure.root));
    this.redraw = oncePerFrame(() => this.paint());
    root.addEventListener("toggle", this.redraw);
    this.mark.querySelector("input").addEventListener("change", this.redraw);
    view.timeline.watchers.push(this.redraw);
    for (const name of ["change", "click"]) view.root.addEventListener(name, this.redraw, true); // of another image
    window.addEventListener("imagen:sent", () => this.wanted && this.letGo());
    window.addEventListener("imagen:lost-comparison", () => this.lost());
  }

  figure(each) {
    const [root, img, caption] = ["figure", "img", "figcaption"].map((name) => document.createElement(name));
    const [title, used, told] = ["b", "span", "p"].map((name) => document.createElement(name));
    root.dataset.kind = each.kind;
    title.textContent = each.title;
    used.className = "threshold-used";
    used.textContent = "used here";
    caption.append(title, used, told);
    root.append(img, caption);
    return { ...each, root, img, used, text: told };
  }

  take(message) {
    if (!message) return;
    const { kind } = message;
    const begun = (message.before || []).find((each) => each.kind === "begun");
    if (begun && begun.run !== this.run && [null, begun.run].includes(this.view.current)) this.begin(begun);
    if (kind === "begun") this.begin(message);
    else if (["finished", "failed", "stopped"].includes(kind)) this.redraw();
    else if (kind.startsWith("thresholds") && message.run === this.run) this.answer(message);
  }

  begin({ run, link }) {
    Object.assign(this, { run, link, wanted: null, problem: "" });
    this.held.clear();
    this.redraw();
  }

  answer(message) {
    if (message.kind === "thresholds") this.steps(message).set(message.step, message);
    else Object.assign(this, { wanted: null, problem: message.text || "" });
    this.redraw();
  }

  // Something else is to be drawn, and would wait for it.
  letGo() {
    const steps = this.steps(this.wanted);
    for (const step of steps.asked) if (!steps.has(step)) steps.asked.delete(step);
    Object.assign(this, { wanted: null, letGoAt: performance.now() });
    document.querySelector("#stop-comparison").click();
  }

  // Gradio tells the same of one that was let go, and may do so when the next one has been asked for.
  lost() {
    if (!this.wanted || performance.now() - this.letGoAt < 5000) return;
    this.answer({ kind: "thresholds_failed", text: LOST_COMPARISON });
  }

  // What was answered for a stage and image: step -> message.
  steps({ stage, image }) {
    const key = `${stage} ${image}`;
    if (!this.held.has(key)) this.held.set(key, Object.assign(new Map(), { asked: new Set() }));
    return this.held.get(key);
  }

  paint() {
    const { here } = this.view.timeline;
    this.root.hidden = !here || !this.link;
    if (this.root.hidden || !this.root.open) return;
    const { lane, frame } = here;
    const place = { stage: lane.stage.name, image: Math.min(this.view.look.image, lane.numImages - 1) };
    const steps = this.steps(place);
    // A stage that was kept from an earlier run shows its picture only, which is its last step.
    const found = lane.state === "cached" ? [...steps.values()].pop() : steps.get(frame.step);
    this.show(found, lane);
    const at = lane.state === "cached" ? "the last step" : `step ${frame.step} of ${lane.numSteps}`;
    const moment = `${lane.stage.size} pixels, ${at}`;
    if (found) return this.say(`${moment}: the same estimate, three ways. The run went on with ${found.used}.`);
    if (this.problem) return this.say(this.problem);
    if (this.view.root.dataset.state === "running") return this.say(`${moment}: compared when the run has ended.`);
    if (!this.wanted && steps.asked.has(frame.step)) return this.say(`${moment}: the comparison was stopped before it.`);
    this.say(`${moment}: drawing it again to compare …`);
    this.later(place, lane, steps);
  }

  say(text) {
    if (text !== this.note.next) this.note.say(text);
  }

  show(found, lane) {
    const marked = this.mark.querySelector("input").checked;
    this.mark.hidden = !found;
    this.root.dataset.shown = found ? `${found.stage} ${found.step}` : "";
    for (const { root, img, used, text, kind, told } of this.figures) {
      root.toggleAttribute("data-empty", !found);
      used.hidden = !found || found.used !== kind;
      if (!found) {
        write(text, "");
        img.alt = ""; // what is there is of another step, and not seen
        continue;
      }
      const { picture, s, clipped_share: share } = found.kinds[kind];
      const source = marked && kind === "none" ? found.beyond : picture;
      if (img.getAttribute("src") !== source) img.src = source;
      img.alt = `The estimate at step ${found.step}, ${lane.stage.size} pixels, thresholding: ${kind}`;
      img.dataset.pixelated = String(lane.stage.size === 64);
      write(text, told({ s, clipped: `${(100 * share).toFixed(1)} %`, largest: found.largest }));
    }
  }

  // Ask when the cursor has rested, once for a stage and image; again where a step came later.
  later(place, lane, steps) {
    clearTimeout(this.timer);
    if (this.wanted) return;
    this.timer = setTimeout(() => {
      const running = this.view.root.dataset.state === "running";
      if (this.wanted || running || !this.root.open || this.view.timeline.playing) return;
      const missing = lane.frames.map((frame) => frame.step).filter((step) => !steps.asked.has(step));
      if (!missing.length) return;
      for (const step of missing) steps.asked.add(step);
      this.wanted = place;
      this.ask({ ...place, link: this.link, run: this.run, steps: lane.state === "cached" ? [] : missing });
    }, THRESHOLD_REST);
  }
}

const thresholds = new Thresholds(element.querySelector(".threshold-panel"), view, (asked) => trigger("submit", asked));
watch("value", () => thresholds.take(props.value));
