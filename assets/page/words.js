// The words of the prompt as chips; the dial of the chosen one writes its weight into the prompt.
const panel = element.querySelector(".words-panel");
const chips = panel.querySelector(".word-chips");
const dial = panel.querySelector(".word-dial");
const slider = dial.querySelector("input");
const note = panel.querySelector(".words-note");
const ADVICE = note.textContent;
let timer = null;
let asked = 0;
let prompt = "";
let words = [];
let wordsOf = ""; // the prompt that they are of
let chosen = -1;

const field = () => document.querySelector("#field-prompt textarea");
const short = (weight) => String(Math.round(weight * 100) / 100);

async function read() {
  const number = ++asked;
  const text = prompt;
  let answer = { words: [] };
  try {
    answer = await server.read_words({ prompt });
  } catch {} // no words, then
  if (number === asked) show(answer, text);
}

function show(answer, text) {
  note.textContent = answer.problem || ADVICE;
  if (answer.problem) return;
  chosen = placeIn(answer.words);
  words = answer.words;
  wordsOf = text;
  panel.hidden = !words.length;
  const focused = [...chips.children].indexOf(document.activeElement);
  chips.replaceChildren(...words.map(chip));
  if (focused >= 0 && chips.children[focused]) chips.children[focused].focus();
  turn();
}

// Where the chosen word, the second of its kind say, is among other words; -1 where it is gone.
function placeIn(others) {
  if (chosen < 0) return -1;
  const { text } = words[chosen];
  const before = words.slice(0, chosen).filter((word) => word.text === text).length;
  const places = others.flatMap((word, place) => (word.text === text ? [place] : []));
  return places[before] ?? -1;
}

function chip({ text, weight }, place) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.weight = weight === 0 ? "none" : weight === 1 ? "even" : "set";
  button.setAttribute("aria-pressed", String(place === chosen));
  const word = document.createElement("span");
  word.textContent = text;
  button.append(word);
  if (weight !== 1) {
    const number = document.createElement("b");
    number.textContent = `×${short(weight)}`;
    button.append(" ", number);
  }
  button.addEventListener("click", () => {
    chosen = place === chosen ? -1 : place;
    [...chips.children].forEach((each, i) => each.setAttribute("aria-pressed", String(i === chosen)));
    turn();
  });
  return button;
}

// The dial shows the chosen word.
function turn() {
  const word = words[chosen];
  dial.hidden = !word;
  if (!word) return;
  slider.value = word.weight;
  tell(word.weight);
}

function tell(weight) {
  const { text } = words[chosen];
  dial.querySelector(".word-name").textContent = `Weight of “${text.length > 40 ? `${text.slice(0, 40)}…` : text}”`;
  dial.querySelector(".word-value").textContent = `×${short(weight)}`;
  slider.setAttribute("aria-valuetext", `${short(weight)} times`);
}

async function set(weight) {
  const word = words[chosen];
  if (!word || field().value !== wordsOf) return; // typed on meanwhile: the words are read anew
  const bounded = Math.max(0, Math.min(3, Math.round(weight * 100) / 100));
  word.weight = bounded;
  turn();
  const before = field().value;
  const number = ++asked;
  let answer;
  try {
    answer = await server.weigh_word({ prompt: before, word: chosen, weight: bounded });
  } catch {
    answer = { problem: "The server did not answer: try again." };
  }
  if (number !== asked || field().value !== before) return; // something newer was done or typed
  if (answer.problem) note.textContent = answer.problem;
  else if (answer.prompt !== before) {
    field().value = prompt = wordsOf = answer.prompt;
    field().dispatchEvent(new Event("input", { bubbles: true }));
    read();
  }
}

slider.addEventListener("input", () => tell(Number(slider.value)));
slider.addEventListener("change", () => set(Number(slider.value)));
panel.querySelector(".less").addEventListener("click", () => set(words[chosen].weight - 0.1));
panel.querySelector(".more").addEventListener("click", () => set(words[chosen].weight + 0.1));
panel.querySelector(".even").addEventListener("click", () => set(1));
function take(text) {
  if (text === prompt && words.length) return;
  prompt = text;
  clearTimeout(timer);
  timer = setTimeout(read, 250);
}

window.addEventListener("imagen:prompt", (event) => take(event.detail));
if (window.imagenTold?.prompt) take(window.imagenTold.prompt); // before this panel was placed
