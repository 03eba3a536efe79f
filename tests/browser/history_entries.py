"""Entries of a history for tests, and what a visitor does with the panel."""

from __future__ import annotations

import json

from playwright.sync_api import Page

from imagen_core.recipe import Recipe

ENTRIES = [
    {"link": Recipe(prompt="a red apple", seed=1).to_link(), "time": 1, "thumbnail": "", "starred": False},
    {"link": Recipe(prompt="<b>a blue pear</b>", seed=2).to_link(), "time": 2, "thumbnail": "", "starred": True},
    {"link": Recipe(prompt="a red car", negative_prompt="rust", seed=77).to_link(), "time": 3, "thumbnail": ""},
]


def many(count: int) -> list[dict[str, object]]:
    return [{"link": Recipe(seed=seed).to_link(), "time": seed + 1, "thumbnail": ""} for seed in range(count)]


def import_entries(page: Page, entries: list[dict[str, object]], **others: object) -> None:
    text = json.dumps({"format": "imagen history", "version": 1, "entries": entries} | others)
    page.set_input_files(".history-file", {"name": "h.json", "mimeType": "application/json", "buffer": text.encode()})


def prompts(page: Page) -> list[str]:
    return page.locator(".history-prompt").all_inner_texts()
