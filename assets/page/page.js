// What the view needs from the rest of the page: keys, the run button, the queue, and fields that an error names.
function watchPage(view) {
  const generate = () => document.querySelector("#generate");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) generate().click();
  });
  window.addEventListener("imagen:begin", () => view.await());
  window.addEventListener("imagen:replay", () => view.takeReplay() && generate().click());
  window.addEventListener("imagen:lost", () => view.lost());
  watchDrops();
  const queue = document.querySelector("#queue");
  if (!queue) return;
  new MutationObserver(() => {
    const place = /queue: (\d+)\/(\d+)/.exec(queue.textContent);
    if (!place || view.root.dataset.state !== "running") return;
    const [, position, size] = place;
    view.status.say(`Waiting for runs of other visitors: place ${position} of ${size} in the queue.`);
  }).observe(queue, { subtree: true, childList: true, characterData: true });
}

// Mark the control of the field that an error names ("sr256.num_steps"), open its accordion, and unmark all others.
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
    input.files = event.dataTransfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
