// The history as a list: search it, star, delete with undo, export, import, open a recipe in the form.
const PAGE = 60; // entries that are shown at once
const store = new HistoryStore();
const find = (selector) => element.querySelector(`.history${selector}`);
const list = find("-list");
const search = find("-search input");
let deleted = []; // what Undo brings back
let limit = PAGE;

// The words of a recipe by which it is found, from its link.
function facts(entry) {
  const values = new URLSearchParams(entry.link);
  const names = [...values.keys()].filter((name) => /(^|\.)(negative_|second_)?prompt$/.test(name));
  const words = names.map((name) => values.get(name));
  const [prompt, seed, model] = ["prompt", "seed", "model"].map((name) => values.get(name) || "");
  return { prompt, seed, model, text: [...words, seed, model].join("\n").toLowerCase() };
}

function show() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const starred = find("-starred input").checked;
  const all = store.all();
  const fits = all.filter((entry) => {
    if (starred && !entry.starred) return false;
    const { text } = facts(entry);
    return wanted.every((word) => text.includes(word));
  });
  const focused = focusedPart();
  list.replaceChildren(...fits.slice(0, limit).map(card));
  if (fits.length > limit) list.append(more(fits.length - limit));
  if (focused) list.querySelector(focused)?.focus();
  find("-export").disabled = find("-clear").disabled = !all.length;
  const count = fits.length === 1 ? "1 picture" : `${fits.length} pictures`;
  if (!store.storage) return say("This browser keeps nothing for this page, so there is no history.");
  if (!all.length) return say("Nothing yet: every picture that is finished comes here.");
  say(fits.length ? `${count}.` : "No picture here has these words.");
}

// How to find again, in a list that is made anew, what has the focus.
function focusedPart() {
  const [part, entry] = ["button", "[data-id]"].map((selector) => list.contains(document.activeElement) && document.activeElement.closest(selector));
  return part && entry && `[data-id="${CSS.escape(entry.dataset.id)}"] .${part.classList[part.classList.length - 1]}`;
}

function card(entry) {
  const { prompt, seed, model } = facts(entry);
  const item = element.querySelector("template").content.cloneNode(true).firstElementChild;
  item.dataset.id = entry.id;
  const part = (name) => item.querySelector(`.history-${name}`);
  const name = prompt || "without a prompt";
  part("prompt").textContent = name;
  part("facts").textContent = `seed ${seed}${model === "bundled" ? "" : ` · ${model}`} · ${new Date(entry.time).toLocaleString()}`;
  if (entry.thumbnail) item.querySelector("img").src = entry.thumbnail;
  part("open").addEventListener("click", () => open(entry));
  part("star").setAttribute("aria-pressed", String(entry.starred));
  part("star").setAttribute("aria-label", `Star: ${name}, seed ${seed}`);
  part("star").addEventListener("click", () => star(entry));
  part("delete").setAttribute("aria-label", `Delete: ${name}, seed ${seed}`);
  part("delete").addEventListener("click", () => remove([entry]));
  return item;
}

function more(count) {
  const item = document.createElement("li");
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button history-more", textContent: `Show ${Math.min(count, PAGE)} more` });
  button.addEventListener("click", () => {
    const next = list.children.length - 1; // the place of this button, and then of the first of those that come
    limit += PAGE;
    show();
    list.children[next].querySelector("button").focus();
  });
  item.append(button);
  return item;
}

// The server reads the link by the rules of every recipe; only then the form changes.
function open(entry) {
  trigger("select", { link: entry.link });
  document.querySelector("button[role=tab]").click();
}

function star(entry) {
  store.write({ ...entry, starred: !entry.starred });
  store.tell();
}

function remove(entries) {
  deleted = entries;
  store.remove(entries.map((entry) => entry.id));
  say(entries.length === 1 ? "Deleted one picture's recipe." : `Deleted the recipes of ${entries.length} pictures.`);
  find("-undo").hidden = false;
  find("-undo").focus();
}

function undo() {
  const left = store.add(deleted);
  find("-undo").hidden = true;
  say(left ? `This browser's storage is full: ${left} did not fit in.` : "They are back.");
  deleted = [];
  search.focus();
}

function say(text) {
  find("-status").textContent = text;
}

function save() {
  const entries = store.all().map(({ link, time, thumbnail, starred }) => ({ link, time, thumbnail, starred }));
  const text = JSON.stringify({ format: "imagen history", version: 1, entries });
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  Object.assign(document.createElement("a"), { href: address, download: "imagen-history.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function load(file) {
  if (!file) return;
  if (file.size > 8e6) return say("That file is larger than 8 MB, so it is no history of this page.");
  let answer;
  try {
    answer = await server.read_history(await file.text());
  } catch {
    answer = { problem: "The server did not answer; try again." };
  }
  if (answer.problem) return say(answer.problem);
  const left = store.add(answer.entries);
  const refused = answer.refused ? ` ${answer.refused} of its entries are no recipes and were left out: ${answer.reason}` : "";
  const full = left ? ` ${left} did not fit in: star what shall stay, delete some of the others, and import again.` : "";
  say(`Imported ${answer.entries.length - left}.${refused}${full}`);
}

search.addEventListener("input", show);
find("-starred input").addEventListener("change", show);
find("-undo").addEventListener("click", undo);
find("-export").addEventListener("click", save);
find("-import").addEventListener("click", () => find("-file").click());
find("-clear").addEventListener("click", () => {
  const plain = store.all().filter((entry) => !entry.starred);
  if (plain.length) remove(plain);
});
find("-file").addEventListener("change", (event) => {
  load(event.target.files[0]);
  event.target.value = "";
});
window.addEventListener("imagen:history", show);
let stored = null;
window.addEventListener("storage", (event) => {
  if (event.key !== null && !event.key.startsWith(HISTORY_PREFIX)) return;
  clearTimeout(stored); // another window imports: one event an entry
  stored = setTimeout(show, 200);
});
window.addEventListener("imagen:history-full", () => say("This browser's storage is full: delete or export some; what was drawn last is not kept."));
show();
