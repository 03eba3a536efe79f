// Gradio's line about a run's place among those of other visitors, as a sentence, whenever the place changes; a clock
// ticks in the same line.
function watchQueue(id, told) {
  const line = document.querySelector(`#${id}`);
  if (!line) return;
  let last = "";
  new MutationObserver(() => {
    const place = /queue: (\d+)\/(\d+)/.exec(line.textContent);
    const text = place ? `Waiting for runs of other visitors: place ${place[1]} of ${place[2]} in the queue.` : "";
    if (text && text !== last) told(text);
    last = text;
  }).observe(line, { subtree: true, childList: true, characterData: true });
}
