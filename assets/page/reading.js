// What the model will read of the prompt, before anything runs. Asks the server when the typing rests.
const line = element.querySelector(".reading");
const told = window.imagenTold || {}; // before this line was placed
let timer = null;
let asked = 0;
let model = told.model ?? null;
let prompt = told[line.dataset.of] || "";

async function read() {
  const number = ++asked;
  try {
    const reading = await server.read_prompt({ prompt, model });
    if (number === asked) show(reading);
    if (reading.loading && number === asked) timer = setTimeout(read, 1500);
  } catch {
    if (number === asked) show({});
  }
}

function show(reading) {
  line.replaceChildren();
  line.dataset.problem = String(Boolean(reading.problem || reading.cut || (reading.unknown || []).length || (reading.foreign || []).length));
  if (reading.problem) return say(reading.problem);
  if (reading.loading) return say("The text encoder is still loading.");
  if (reading.num_tokens === undefined) return;
  say(`${reading.num_tokens} of ${reading.max_tokens} tokens.`);
  if (reading.cut) {
    say(" The model reads no further than ");
    say(`“…${reading.kept.slice(-24)}”`, "mark");
    say("; this is cut off: ");
    say(`“${reading.cut.length > 60 ? `${reading.cut.slice(0, 60)}…` : reading.cut}”`, "s");
    say(".");
  }
  if (reading.unknown.length) {
    say(" Unknown to the text encoder, so ignored: ");
    say(reading.unknown.slice(0, 8).join(", "), "mark");
    say(reading.unknown.length > 8 ? ", …" : ".");
  }
  if (reading.foreign.length) {
    say(" Not among what the model was trained to draw: ");
    say(reading.foreign.slice(0, 8).join(", "), "mark");
    say(reading.foreign.length > 8 ? ", …" : ".");
  }
}

function say(text, tag = "span") {
  const part = document.createElement(tag);
  part.textContent = text;
  line.append(part);
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(read, 300);
}

window.addEventListener(`imagen:${line.dataset.of}`, (event) => {
  prompt = event.detail;
  later();
});
window.addEventListener("imagen:model", (event) => {
  model = event.detail;
  later();
});
if (prompt) later();
