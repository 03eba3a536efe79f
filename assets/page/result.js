// True for an address that no other machine can open.
function isLocal(address) {
  return ["localhost", "127.0.0.1", "[::1]"].includes(new URL(address).hostname);
}

// The finished pictures: download, link, and the comparison with the earlier stages.
class Result {
  // `told` shows what went wrong.
  constructor(root, told) {
    this.root = root;
    this.files = [];
    saveKept(this.part(".download"), () => this.files[this.image].kept, told);
    this.part(".copy").addEventListener("click", () => this.copy());
    this.qr = new QrCode(root, () => this.address());
    this.part(".compare").addEventListener("click", () => this.compare());
    const dialog = this.part(".comparison");
    this.part(".comparison .close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    this.part(".split").addEventListener("input", (event) => this.split(event.target.value));
    for (const input of root.querySelectorAll(".befores input")) input.addEventListener("change", () => this.before(input.value));
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  clear() {
    this.files = [];
    this.part(".result").dataset.ready = "false";
    this.part(".result-text").textContent = "The finished picture will be a PNG that carries its recipe, with a link that draws it again.";
    for (const selector of [".download", ".copy", ".qr-open", ".compare", ".verdict"]) this.part(selector).hidden = true;
  }

  finish(message, lanes) {
    Object.assign(this, { files: lanes.get(message.stage).files, stage: message.stage, lanes });
    this.part(".result").dataset.ready = "true";
    for (const selector of [".download", ".copy", ".qr-open"]) this.part(selector).hidden = false;
    this.part(".compare").hidden = message.stage === "base";
  }

  show(image) {
    this.image = image;
    const file = this.files[image];
    if (!file) return;
    const download = this.part(".download");
    download.href = file.kept.address;
    download.download = file.name;
    const which = this.files.length > 1 ? `Image ${image + 1} of ${this.files.length}, seed` : "Seed";
    const far = isLocal(this.address()) ? " That link works on this machine only: start the page with --share to send it." : "";
    this.part(".result-text").textContent = `${which} ${file.seed}. The PNG carries its recipe; the link draws the same picture again.${far}`;
    const verdict = this.part(".verdict");
    verdict.hidden = !file.verdict;
    verdict.textContent = file.verdict ? `Compared with the picture that was shared: ${file.verdict}.` : "";
  }

  // The address that draws the chosen picture again, for whoever gets it.
  address() {
    const { link, page } = this.files[this.image];
    return `${page || location.origin + location.pathname}?${link}`;
  }

  async copy() {
    const button = this.part(".copy");
    const copied = await writeClipboard(this.address());
    button.textContent = copied ? "Link copied" : "Copy failed";
    setTimeout(() => (button.textContent = "Copy link"), 2000);
  }

  compare() {
    this.part(".after").src = this.files[this.image].kept.address;
    const inputs = this.root.querySelectorAll(".befores input");
    for (const input of inputs) {
      const lane = this.lanes.get(input.value);
      input.closest("label").hidden = input.value === this.stage || !lane.frames.length;
    }
    inputs[0].checked = true;
    this.before("base");
    this.split(50);
    this.part(".split").value = 50;
    this.part(".comparison").showModal();
  }

  before(stage) {
    const { frames } = this.lanes.get(stage);
    const image = this.part(".before");
    image.dataset.stage = stage;
    image.src = frames[frames.length - 1].addresses.x_0[this.image];
  }

  split(percent) {
    this.part(".comparison-stage").style.setProperty("--split", `${percent}%`);
  }
}
