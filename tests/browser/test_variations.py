"""Variations and a second prompt on the page: near neighbours at a press, links and pictures that open again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from imagen_core.metadata import read_recipe
from tests.browser.conftest import OpenPage
from tests.browser.running import begin, enter, finished_picture, press, state
from tests.browser.test_access import violations
from tests.ui_page import GRADIO_WARNING, Recorded

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]


@pytest.mark.parametrize("width", [1440, 390])
def test_a_press_draws_neighbours_of_the_picture(open_page: OpenPage, imagen: Recorded, width: int) -> None:
    page = open_page(width=width, height=844)
    page.fill("#field-prompt textarea", "an apple with neighbours")
    page.fill("#field-seed input", "7")
    page.check("#field-last_stage input[value=base]")
    page.click("text=Variations and a second prompt")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    press(page, "#neighbours")
    state(page, "finished")
    recipe = imagen.recipes[-1]
    assert (recipe.seed, recipe.variation, recipe.num_images) == (7, 0.3, 4)
    expect(page.locator(".picks label")).to_have_count(4)
    expect(page.locator("#field-variation_seed textarea, #field-variation_seed input")).to_have_value(
        str(recipe.variation_seed)
    )
    assert read_recipe(finished_picture(page)) == recipe.for_image(0)
    press(page, "#neighbours")  # again: others
    state(page, "finished")
    assert imagen.recipes[-1].variation_seed != recipe.variation_seed


def test_a_link_between_two_prompts_opens_and_draws_the_same(open_page: OpenPage) -> None:
    page = open_page()
    page.click("text=Variations and a second prompt")
    enter(page, "#field-second_prompt", "a green pear")
    expect(page.locator("#reading-second_prompt .reading")).to_contain_text("tokens")
    enter(page, "#field-second_share", "0.5")
    begin(page, "a red apple", steps=3)
    state(page, "finished")
    page.click(".copy")
    expect(page.locator(".copy")).to_have_text("Link copied")
    query = page.evaluate("navigator.clipboard.readText()").partition("?")[2]
    assert "&second_share=0.5&second_prompt=a+green+pear&" in query
    other = open_page(query=query)
    state(other, "finished")
    expect(other.locator(".verdict")).to_contain_text("identical")
    assert finished_picture(other) == finished_picture(page)
    other.click("text=Variations and a second prompt")  # what the link filled in before this was unfolded is read, too
    expect(other.locator("#reading-second_prompt .reading")).to_contain_text("tokens")


def test_a_share_of_nothing_is_told(open_page: OpenPage) -> None:
    page = open_page()
    page.click("text=Variations and a second prompt")
    enter(page, "#field-variation", "0.5")
    begin(page, "an apple")
    state(page, "failed")
    expect(page.locator("#view .problem")).to_contain_text(
        "Variation seed must be given, because variation is 0.5, not 0."
    )
    expect(page.locator("#field-variation_seed.field-problem")).to_have_count(1)
