// The picture of a lane: one step of one run, or all its images side by side.
const NO_NOISY_PICTURE = "No noisy picture: this stage was kept from an earlier run";

class StagePicture {
  constructor(root, stage) {
    this.root = root;
    this.stage = stage;
    this.canvas = root.querySelector("canvas");
    this.final = root.querySelector(".final");
    this.hint = root.querySelector(".hint");
    this.which = root.querySelector(".which");
    this.missing = ""; // the address of a finished picture that the server no longer has
    this.final.addEventListener("error", () => {
      this.missing = this.final.getAttribute("src");
      this.final.hidden = true; // the canvas behind it shows the last step
    });
    this.painted = "";
  }

  // Show frame `at` of `run`, which has frames, numSteps, numImages and files; -1 is before its first.
  show(run, at, look, hint) {
    const frame = run.frames[at];
    const alone = !(look.grid && run.numImages > 1);
    this.columns = alone ? 1 : Math.ceil(Math.sqrt(run.numImages));
    this.showFinal(run.files[look.image], alone && at === run.frames.length - 1 && look.mode === "x_0");
    const missing = frame && look.mode === "x_t" && !frame.addresses.x_t.length;
    this.hint.hidden = Boolean(frame && !missing);
    this.root.toggleAttribute("data-empty", !this.hint.hidden);
    if (missing) return this.showNothing(NO_NOISY_PICTURE, NO_NOISY_PICTURE);
    if (!frame) return this.showNothing(hint, "Nothing drawn yet");
    const images = alone ? [Math.min(look.image, run.numImages - 1)] : [...Array(run.numImages).keys()];
    this.paintNewest(run, at, look, images);
    const kind = { x_0: "the estimate", x_t: "the noisy picture", difference: "the change" }[look.mode];
    this.canvas.setAttribute("aria-label", `${kind} at step ${frame.step} of ${run.numSteps}, ${this.stage.size} pixels`);
  }

  // Paint frame `at`, or the last one before it that is decoded: a quick run would otherwise outpace the decoding and
  // show nothing new until its end. The wanted frame follows when it is decoded.
  paintNewest(run, at, look, images) {
    const kind = look.mode === "x_t" ? "x_t" : "x_0";
    const ready = (place) => run.frames[place] && images.every((image) => run.frames[place].ready(kind, image));
    const complete = (place) => ready(place) && (look.mode !== "difference" || !place || ready(place - 1));
    for (const image of images) this.tile(run, at, look, image); // begins to decode what is not
    let shown = at;
    while (shown > 0 && !complete(shown)) shown -= 1;
    if (!complete(shown)) return;
    const frame = run.frames[shown];
    const key = `${look.mode} ${frame.step}`;
    const all = `${key} ${look.image} ${look.grid} ${run.numSteps}`;
    if (this.painted === all && this.frame === frame) return;
    if (!this.paintTiles(images.map((image) => this.tile(run, shown, look, image)), look)) return;
    Object.assign(this, { painted: all, frame });
    this.canvas.dataset.painted = key;
  }

  showNothing(hint, label) {
    if (this.hint.textContent !== hint) this.hint.textContent = hint;
    if (this.painted !== "noise") paintNoise(this.canvas, Math.min(this.stage.size, 256));
    this.painted = "noise";
    delete this.canvas.dataset.painted;
    this.canvas.setAttribute("aria-label", label);
  }

  // The finished picture itself, where the previews are smaller or compressed.
  showFinal(file, wanted) {
    const { final } = this;
    const address = file && file.kept.address;
    final.hidden = !(file && wanted) || this.missing === address;
    if (final.hidden) return;
    if (final.getAttribute("src") !== address) final.src = address;
    final.alt = `The finished picture, ${this.stage.size} pixels wide`;
  }

  // What to paint for one image: its picture, and the one before where the difference is asked for.
  tile(run, at, look, image) {
    const frame = run.frames[at];
    if (look.mode !== "difference") return { picture: frame.picture(look.mode, image), image };
    const before = run.frames[at - 1];
    const earlier = before && before.picture("x_0", image);
    const picture = before && !earlier ? null : frame.picture("x_0", image);
    return { picture, before: earlier, image, changed: true };
  }

  paintTiles(tiles, look) {
    const first = tiles.find((tile) => tile.picture);
    if (!first) return false;
    const size = first.picture.width;
    const context = this.canvas.getContext("2d");
    if (this.canvas.width !== this.columns * size) this.canvas.width = this.canvas.height = this.columns * size;
    else context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    tiles.forEach(({ picture, before, image, changed }, place) => {
      if (!picture) return;
      const [x, y] = [(place % this.columns) * size, Math.floor(place / this.columns) * size];
      if (changed) {
        const scratch = new OffscreenCanvas(size, size);
        paintDifference(scratch.getContext("2d", { willReadFrequently: true }), picture, before);
        context.drawImage(scratch, x, y);
      } else context.drawImage(picture, x, y, size, size);
      if (tiles.length > 1 && image === look.image) this.frameTile(context, x, y, size);
    });
    return true;
  }

  frameTile(context, x, y, size) {
    const line = Math.max(1, Math.round((this.columns * size) / 100));
    context.strokeStyle = getComputedStyle(this.root).getPropertyValue("--accent");
    context.lineWidth = line;
    context.strokeRect(x + line / 2, y + line / 2, size - line, size - line);
  }

  // Which image is at a place of the screen.
  imageAt(event) {
    const box = this.canvas.getBoundingClientRect();
    const tile = box.width / this.columns;
    return Math.floor((event.clientY - box.top) / tile) * this.columns + Math.floor((event.clientX - box.left) / tile);
  }
}
