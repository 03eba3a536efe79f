"""How smoothly a cursor moves over 150 held steps: `python -m tests.browser.scrubbing` prints it for this machine.

A script presses an arrow key in every frame of the screen. `work` is what the page's thread did for one move, from the
key to the painted picture, by the browser's own account of the processor time of that thread; 60 moves a second leave
it 16.7 ms. `interval` is the time between two frames of the screen, which other programs on the machine lengthen.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

from imagen_core.recipe import STAGES, Recipe
from imagen_core.ui import messages
from tests.browser.conftest import ARGUMENTS
from tests.ui_page import recorded, served

STEPS = 50  # in each of three stages
QUERY = Recipe(prompt="a red apple").updated({stage: {"num_steps": STEPS} for stage in STAGES})

SCRUB = """(moves) => new Promise((done) => {
  const track = document.querySelector('.track');
  const intervals = [];
  let last = performance.now();
  let left = moves;
  const turn = (now) => {
    intervals.push(now - last);
    last = now;
    const back = Math.floor(left / 140) % 2 === 0;
    track.dispatchEvent(new KeyboardEvent('keydown', { key: back ? 'ArrowLeft' : 'ArrowRight', bubbles: true }));
    left -= 1;
    if (left) requestAnimationFrame(turn);
    else done(intervals.slice(2).sort((a, b) => a - b));
  };
  requestAnimationFrame(turn);
})"""


def measure(page: Page, moves: int = 420) -> dict[str, float]:
    """Milliseconds of `moves` moves of the cursor over the finished run that `page` shows."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})  # other programs on the machine do not count
    before = _metrics(session)
    intervals = page.evaluate(SCRUB, moves)
    after = _metrics(session)
    work = {name: round(1000 * (after[name] - before[name]) / moves, 2) for name in after}
    middle, late = intervals[len(intervals) // 2], intervals[int(len(intervals) * 0.95)]
    return {**work, "interval_median": round(middle, 1), "interval_95_percent": round(late, 1)}


def _metrics(session: Any) -> dict[str, float]:
    names = {"TaskDuration": "work", "ScriptDuration": "script", "LayoutDuration": "layout"}
    found = session.send("Performance.getMetrics")["metrics"]
    return {names[each["name"]]: each["value"] for each in found if each["name"] in names}


def fill(page: Page, address: str) -> None:
    """Have all steps of a run on the page."""
    page.goto(f"{address}?{QUERY.to_link()}")
    expect(page.locator("#field-base-num_steps input[type=number]")).to_have_value(str(STEPS), timeout=60_000)
    page.click("#generate")
    page.wait_for_selector(".cascade[data-state=finished]", timeout=300_000)


def main() -> None:
    """Print the milliseconds with and without the charts."""
    messages.INTERVAL = 0.0  # every step of the tiny model, which is quick
    imagen = recorded()
    with served(lambda: imagen) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        fill(page, address)
        held = page.evaluate("[...document.querySelectorAll('.lane')].map((lane) => Number(lane.dataset.frames))")
        figures = {"held": sum(held), "first pass": measure(page), "again": measure(page)}
        page.click(".instrument-panel summary")
        figures["with charts"] = measure(page)
        chromium.close()
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
