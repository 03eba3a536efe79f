// The words that the model was trained on, in groups that a search narrows; a word that is clicked goes into the prompt.
const note = element.querySelector(".vocabulary-note");
const body = element.querySelector(".vocabulary-body");
const search = body.querySelector("input");
const count = body.querySelector(".vocabulary-count");

async function ask() {
  let known;
  try {
    known = await server.read_vocabulary(null);
  } catch {
    known = { problem: "The server did not answer; load the page again." };
  }
  if (known.loading) return setTimeout(ask, 1500);
  if (!known.things) {
    note.textContent = known.problem || "Nobody has written down what the weights in this folder were trained on.";
    return;
  }
  note.textContent =
    "Choose a word to put it into the prompt. Other words are read too, for the text encoder knows English, " +
    "but what they look like the model has never seen.";
  const things = known.things.map((thing) => ({ word: thing.noun, also: [thing.plural, ...thing.synonyms] }));
  const plain = (words) => words.map((word) => ({ word, also: [] }));
  group("Things", things);
  group("Colours", plain(known.colours));
  group("Numbers", plain(known.numbers));
  group("Where things are", plain(known.relations));
  group("Backgrounds", plain(known.backgrounds));
  group("Styles", plain(known.styles));
  body.hidden = false;
  narrow();
}

function group(title, entries) {
  const part = document.createElement("div");
  part.className = "vocabulary-group";
  const heading = document.createElement("h4");
  heading.textContent = title;
  part.append(heading);
  const list = document.createElement("ul");
  for (const entry of entries) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = entry.word;
    button.dataset.search = [entry.word, ...entry.also].join("\n").toLowerCase();
    if (entry.also.length) button.title = `also: ${entry.also.join(", ")}`;
    button.addEventListener("click", () => put(entry.word));
    item.append(button);
    list.append(item);
  }
  part.append(list);
  body.querySelector(".vocabulary-groups").append(part);
}

function narrow() {
  const wanted = search.value.trim().toLowerCase();
  let shown = 0;
  for (const part of body.querySelectorAll(".vocabulary-group")) {
    let some = false;
    for (const button of part.querySelectorAll("button")) {
      const fits = button.dataset.search.includes(wanted);
      button.parentElement.hidden = !fits;
      some ||= fits;
      shown += fits;
    }
    part.hidden = !some;
  }
  const words = shown === 1 ? "1 entry" : `${shown} entries`;
  count.textContent = shown ? words : `Nothing here is called “${search.value.trim()}”.`;
}

// Into the prompt's field as if it had been typed behind what is there.
function put(word) {
  const field = document.querySelector("#field-prompt textarea");
  const before = field.value.trimEnd();
  field.value = before ? `${before} ${word}` : word;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  count.textContent = `“${word}” is in the prompt now.`;
}

search.addEventListener("input", narrow);
ask();
