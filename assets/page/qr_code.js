// The link of the chosen picture as a QR code in a dialog; the server draws it, no other host is asked.
class QrCode {
  constructor(root, address) {
    this.root = root;
    this.address = address;
    this.dialog = this.part(".qr");
    this.part(".qr-open").addEventListener("click", () => this.open());
    this.part(".qr .close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  part(selector) {
    return this.root.querySelector(selector);
  }

  async open() {
    const address = this.address();
    const job = (this.job = {}); // an answer that is late is of another picture
    const image = this.part(".qr-image");
    image.hidden = true;
    this.say("Drawing the code.");
    this.dialog.showModal();
    let answer;
    try {
      answer = await server.make_qr_code({ address });
    } catch {
      answer = { problem: "The server did not answer: copy the link instead." };
    }
    if (job !== this.job) return;
    if (answer.problem) return this.say(answer.problem);
    image.src = answer.image;
    image.hidden = false;
    this.say(isLocal(address)
      ? "This page runs on this machine only, so a phone can read the code but not reach the page: start it with --host 0.0.0.0, or with --share."
      : "Point a phone's camera at it: the page opens there and draws the same picture.");
  }

  say(text) {
    this.part(".qr-text").textContent = text;
  }
}
