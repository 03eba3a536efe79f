// What the text encoder will read of the prompt, before anything runs. Asks the server when the typing rests.
const line = element.querySelector(".reading");
let timer = null;
let asked = 0;

async function read(prompt) {
  const number = ++asked;
  try {
    const reading = await server.read_prompt(prompt);
    if (number === asked) show(reading);
    if (reading.loading && number === asked) timer = setTimeout(() => read(prompt), 1500);
  } catch {
    if (number === asked) show({});
  }
}

function show(reading) {
  line.replaceChildren();
  line.dataset.problem = String(Boolean(reading.problem || reading.cut || (reading.unknown || []).length));
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
}

function say(text, tag = "span") {
  const part = document.createElement(tag);
  part.textContent = text;
  line.append(part);
}

window.addEventListener("imagen:prompt", (event) => {
  clearTimeout(timer);
  timer = setTimeout(() => read(event.detail), 300);
});
