// A picture's file. The server deletes its files after an hour or two, so the browser takes a copy, which is there as
// long as the page holds the picture.
const FILE_GONE = "The server no longer keeps this picture: press Generate to draw it again.";

class KeptFile {
  // `changed` is called when the address is that of the copy.
  constructor(address, changed) {
    Object.assign(this, { address, served: address, changed, copied: false, bytes: 0 });
    this.copy();
  }

  // Whether the copy is here, or could be taken.
  async copy() {
    try {
      if (!this.copied) await (this.taking ??= this.take().finally(() => (this.taking = null))); // one at a time
    } catch {} // the connection is gone
    return this.copied;
  }

  async take() {
    const answer = await fetch(this.address);
    if (!answer.ok || this.released) return;
    const data = await answer.blob();
    Object.assign(this, { address: URL.createObjectURL(data), copied: true, bytes: data.size });
    if (this.released) this.release();
    this.changed(this.address);
  }

  release() {
    this.released = true;
    this.letGo();
  }

  // Do without the copy; another one is taken where the file is wanted and the server still has it.
  letGo() {
    if (this.copied) URL.revokeObjectURL(this.address);
    Object.assign(this, { address: this.served, copied: false, bytes: 0 });
  }
}

// Let a link save a file: where there is no copy of it yet, one is taken first, or `gone` told, never a page of an error.
function saveKept(link, file, gone) {
  link.addEventListener("click", async (event) => {
    const kept = file();
    if (kept.copied) return;
    event.preventDefault();
    if (await kept.copy()) link.click();
    else gone(FILE_GONE);
  });
}
