// Pictures that were drawn here, kept in this browser and nowhere else: a link (recipe and check) and a thumbnail each.
const HISTORY_PREFIX = "imagen:history:";
const HISTORY_LIMIT = 300; // entries that no star protects; the oldest go first
const HISTORY_THUMBNAIL = /^data:image\/jpeg;base64,[A-Za-z0-9+/]+={0,2}$/;

class HistoryStore {
  constructor() {
    try {
      this.storage = window.localStorage;
      this.storage.getItem(HISTORY_PREFIX);
    } catch {
      this.storage = null; // forbidden in this window
    }
  }

  // Every entry {id, time, link, thumbnail, starred}, the newest first. What is not of this form is passed over.
  all() {
    if (!this.storage) return [];
    const keys = Object.keys(this.storage).filter((key) => key.startsWith(HISTORY_PREFIX));
    const entries = keys.map((key) => historyEntry(key.slice(HISTORY_PREFIX.length), this.storage.getItem(key)));
    return entries.filter(Boolean).sort(newestFirst);
  }

  // Keep entries; of the same link there is one. The answer is how many did not fit in.
  add(entries) {
    const held = this.byLink();
    for (const entry of entries) {
      const same = held.get(entry.link);
      if (same) this.drop(same, held);
      const id = entry.id || `${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
      this.write({ ...entry, id, starred: Boolean(entry.starred || (same && same.starred)) }, held);
    }
    const plain = [...held.values()].filter((entry) => !entry.starred).sort(newestFirst);
    for (const entry of plain.slice(HISTORY_LIMIT)) this.drop(entry, held);
    this.tell();
    return entries.filter((entry) => !held.has(entry.link)).length;
  }

  byLink() {
    return new Map(this.all().map((entry) => [entry.link, entry]));
  }

  remove(ids) {
    for (const id of ids) this.forget(id);
    this.tell();
  }

  forget(id) {
    this.storage.removeItem(HISTORY_PREFIX + id);
  }

  drop(entry, held) {
    this.forget(entry.id);
    held.delete(entry.link);
  }

  // Where the browser's share is used up, the oldest entries without a star make room. `held` has what is kept by its
  // link: to read all of it for every entry of a file that is imported takes seconds.
  write(entry, held = this.byLink()) {
    const { id, ...kept } = entry;
    const old = () => [...held.values()].filter((other) => !other.starred && other.id !== id).sort(newestFirst);
    while (this.storage) {
      try {
        this.storage.setItem(HISTORY_PREFIX + id, JSON.stringify(kept));
        held.set(entry.link, entry);
        return;
      } catch {
        const oldest = old().pop();
        if (!oldest) return;
        this.drop(oldest, held);
      }
    }
  }

  // The panel of this window hears an event; other windows get one from the storage itself.
  tell() {
    window.dispatchEvent(new Event("imagen:history"));
  }
}

function newestFirst(one, other) {
  return other.time - one.time || (one.id < other.id ? 1 : -1);
}

function historyEntry(id, text) {
  try {
    const { time, link, thumbnail, starred } = JSON.parse(text);
    const good = Number.isFinite(time) && typeof link === "string" && link && (thumbnail === "" || HISTORY_THUMBNAIL.test(thumbnail));
    return good ? { id, time, link, thumbnail, starred: starred === true } : null;
  } catch {
    return null;
  }
}

// Keep the finished pictures of a run; `pictures` are their addresses, in the order of the files.
async function remember(files, pictures) {
  const store = new HistoryStore();
  if (!store.storage) return; // forbidden: the list says so
  const time = Date.now();
  const entries = [];
  for (const [image, file] of files.entries())
    entries.push({ time: time - image, link: file.link, thumbnail: await thumbnail(pictures[image]) });
  if (store.add(entries)) window.dispatchEvent(new Event("imagen:history-full"));
}

// A picture as a JPEG of 96 pixels a side, as a data URI; "" where it cannot be made.
async function thumbnail(address) {
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 96, height: 96 });
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, 96, 96);
    return canvas.toDataURL("image/jpeg", 0.8);
  } catch {
    return "";
  }
}
