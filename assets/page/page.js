// What the view needs from the rest of the page: keys, the run button, the queue, and fields that an error names.
function watchPage(view) {
  document.addEventListener("keydown", (event) => {
    const pressed = event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing;
    if (pressed && !document.querySelector("dialog[open]")) drawButton()?.click();
  });
  document.addEventListener("click", (event) => {
    // A prompt that is being drawn is not overwritten by an example that could not be drawn now.
    if (event.target.closest("#examples [aria-disabled=true]")) event.stopImmediatePropagation();
  }, true);
  window.addEventListener("imagen:begin", () => view.await());
  window.addEventListener("imagen:replay", () => view.filled() && document.querySelector("#generate").click());
  window.addEventListener("imagen:lost", () => view.losses.told());
  watchDrops();
  watchServer(view.losses, () => view.root.dataset.state === "running");
  watchQueue("queue", (text) => {
    view.losses.heard();
    if (view.root.dataset.state === "running") view.status.say(text);
    view.stopButton.answered();
  });
}

// The button that begins what the tab in sight draws; History and About draw nothing.
function drawButton() {
  return [...document.querySelectorAll("#generate, #draw-drafts, #draw-sweep")].find((button) => button.offsetParent);
}

// Mark the control of the field that an error names ("sr256.num_steps"), and unmark all others.
function markField(field) {
  for (const marked of document.querySelectorAll(".field-problem")) marked.classList.remove("field-problem");
  const control = field && document.getElementById(`field-${field.replaceAll(".", "-")}`);
  if (control) control.classList.add("field-problem");
}

// A PNG dropped anywhere goes the way of the button that opens one.
function watchDrops() {
  const dropping = (on) => document.body.toggleAttribute("data-dropping", on);
  const files = (event) => event.dataTransfer && event.dataTransfer.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    dropping(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || dropping(false));
  document.addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    dropping(false);
    const input = document.querySelector("#open input[type=file], input[type=file][data-testid$=upload-button]");
    if (!input || !event.dataTransfer.files.length) return;
    showTab("Create"); // where it is told what became of it
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
