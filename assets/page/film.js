// The denoising as a file: an animated GIF or WebP that the server puts together, or a video that the browser records.
const FILM_FRAMES = 300; // as many as the server takes
const FILM_CHARACTERS = 23e6;
const TOO_FEW_PICTURES = {
  x_0: "A film takes two steps at least: make it when they are drawn.",
  x_t: "Steps that were kept from an earlier run have no noisy pictures: close this and choose Estimate.",
};

class Film {
  constructor(root, lanes, look) {
    this.root = root;
    this.lanes = lanes;
    this.look = look;
    this.dialog = root.querySelector(".film");
    this.job = 0;
    this.part(".film-video").hidden = !videoType();
    root.querySelector(".film-open").addEventListener("click", () => this.open());
    this.part(".close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => this.clear());
    this.dialog.addEventListener("change", () => this.clear());
    this.part(".film-make").addEventListener("click", () => this.make());
  }

  part(selector) {
    return this.dialog.querySelector(selector);
  }

  chosen(name) {
    return this.part(`[name=${name}]:checked`).value;
  }

  open() {
    for (const input of this.dialog.querySelectorAll("[name=film-what]")) {
      const lane = this.lanes.get(input.value);
      input.closest("label").hidden = Boolean(lane) && lane.frames.length < 2;
    }
    this.part("[name=film-what]").checked = true;
    this.clear();
    this.dialog.showModal();
  }

  // What was made or is in the making belongs to another choice.
  clear() {
    this.job += 1;
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    this.part(".film-shown").replaceChildren();
    this.part(".film-save").hidden = true;
    this.part(".film-make").disabled = false;
    const shown = this.kind === "x_t" ? "the noisy picture" : "the estimate";
    this.say(`Shows ${shown}, 12 steps a second.`);
  }

  say(text) {
    write(this.part(".film-status"), text);
  }

  get kind() {
    return this.look.mode === "x_t" ? "x_t" : "x_0";
  }

  // The pictures that are asked for, every second or third where they are too many.
  addresses() {
    const what = this.chosen("film-what");
    const frames = [...this.lanes.values()].filter((lane) => [lane.stage.name, "all"].includes(what)).flatMap((lane) => lane.frames);
    const all = frames.map((frame) => frame.addresses[this.kind][this.look.image]).filter(Boolean);
    const characters = all.reduce((sum, address) => sum + address.length, 0);
    const stride = Math.max(1, Math.ceil(all.length / FILM_FRAMES), Math.ceil(characters / FILM_CHARACTERS));
    return all.filter((_, i) => (all.length - 1 - i) % stride === 0); // the last is always there
  }

  async make() {
    this.clear();
    const { job } = this;
    const kind = this.chosen("film-kind");
    const addresses = this.addresses();
    if (addresses.length < 2) return this.say(TOO_FEW_PICTURES[this.kind]);
    this.part(".film-make").disabled = true;
    this.say(kind === "video" ? "Recording…" : "Putting the steps together…");
    try {
      const told = (share) => job === this.job && this.say(`Recording: ${Math.round(100 * share)} %`);
      const going = () => job === this.job;
      const data = kind === "video" ? await recordVideo(addresses, told, going) : await this.ask(addresses, kind);
      if (going()) this.show(data);
    } catch (error) {
      if (job !== this.job) return;
      this.clear();
      this.say(error.message || "The film could not be made: try again, or another kind.");
    }
  }

  async ask(frames, kind) {
    const answer = await server.make_animation({ frames, kind });
    if (!answer.data) throw new Error(answer.problem);
    return (await fetch(answer.data)).blob();
  }

  show(data) {
    this.address = URL.createObjectURL(data);
    const video = data.type.startsWith("video");
    const film = document.createElement(video ? "video" : "img");
    if (video) Object.assign(film, { controls: true, loop: true, muted: true });
    else film.alt = "The film that was made";
    film.src = this.address;
    this.part(".film-shown").replaceChildren(film);
    const save = this.part(".film-save");
    const ending = data.type.split(";")[0].split("/")[1];
    Object.assign(save, { hidden: false, href: this.address, download: `denoising.${ending}` });
    this.part(".film-make").disabled = false;
    this.say(`${ending.toUpperCase()}, ${(data.size / 1e6).toFixed(1)} MB.`);
    save.focus();
  }
}
