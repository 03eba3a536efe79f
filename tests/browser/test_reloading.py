"""The page is loaded anew, by its visitor or by gradio after a lost connection: what was in the form is there again."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from imagen_core.recipe import Recipe
from tests.browser.conftest import OpenPage
from tests.browser.holding import held
from tests.browser.running import begin, press, state
from tests.browser.test_timeline import every_step
from tests.ui_page import GRADIO_WARNING, Recorded, free_port, recorded, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, GRADIO_WARNING]
__all__ = ["every_step"]  # a fixture

BACK = "The page was loaded anew; your settings are back."


def prompt(page: Page, text: str) -> None:
    expect(page.locator("#field-prompt textarea")).to_have_value(text)


def test_the_form_is_there_again_and_the_address_is_not_drawn_over_it(open_page: OpenPage, imagen: Recorded) -> None:
    recipe = Recipe(prompt="an apple of the address", last_stage="base").updated({"base": {"num_steps": 3}})
    page = open_page(recipe.to_link())
    state(page, "finished")
    page.uncheck("#lock input")
    page.fill("#field-prompt textarea", "my own words")
    page.fill("#field-base-num_steps input[type=number]", "7")
    page.keyboard.press("Tab")
    page.wait_for_function("sessionStorage.getItem('imagen:form').includes('\"base.num_steps\":7')")
    runs = len(imagen.runs)
    page.reload()
    expect(page.locator("#view .status")).to_have_text(BACK)
    prompt(page, "my own words")
    expect(page.locator("#field-base-num_steps input[type=number]")).to_have_value("7")
    expect(page.locator("#field-last_stage input[value=base]")).to_be_checked()
    expect(page.locator("#lock input")).not_to_be_checked()
    expect(page.locator("#view .cascade")).to_have_attribute("data-state", "empty")
    assert len(imagen.runs) == runs
    page.goto(page.url.partition("?")[0])  # another visit of this window begins anew
    page.wait_for_selector(".lane[data-stage=sr1024]")
    page.wait_for_function("window.imagenArrived")
    prompt(page, "")


def test_the_form_is_there_again_for_who_comes_back_to_the_page(browser: Browser, address: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("window.addEventListener('unload', () => {})")  # the browser then keeps no page it leaves
    page.goto(address)
    page.wait_for_function("window.imagenArrived")
    page.fill("#field-prompt textarea", "my own words")
    page.wait_for_function("sessionStorage.getItem('imagen:form')?.includes('my own words')")
    page.goto(f"{address}theme.css")
    page.go_back()
    page.wait_for_function("window.imagenArrived")
    prompt(page, "my own words")
    context.close()


def test_a_fork_is_there_again_and_is_drawn(open_page: OpenPage, imagen: Recorded) -> None:
    """The form came back without it: Generate drew another picture from the beginning."""
    parent = Recipe(prompt="an apple", seed=4, last_stage="base").updated({"base": {"num_steps": 6}})
    page = open_page(parent.to_link())
    state(page, "finished")
    film = page.locator(".lane[data-stage=base] .filmstrip")
    film.press("Home")
    film.press("ArrowRight")
    expect(page.locator(".lane[data-stage=base]")).to_have_attribute("data-step", "2")
    page.click("#view .button.fork")
    page.wait_for_function("sessionStorage.getItem('imagen:form').includes('base.2?')")
    page.fill("#field-prompt textarea", "a pear")
    page.check("#view .fork-restart input")
    page.wait_for_function("sessionStorage.getItem('imagen:form').includes('base.2.restarted?')")
    page.reload()
    expect(page.locator("#view .status")).to_have_text(BACK)
    prompt(page, "a pear")
    expect(page.locator("#view .fork-note")).to_contain_text("Forking from step 2 at 64 pixels of “an apple”, seed 4")
    expect(page.locator("#view .fork-restart input")).to_be_checked()
    press(page, "#generate")
    state(page, "finished")
    assert imagen.recipes[-1] == parent.forked("base", 2, {"prompt": "a pear"}, "restarted")
    page.click("#view .fork-cancel")
    page.wait_for_function("!sessionStorage.getItem('imagen:form').includes('base.2')")
    page.reload()
    expect(page.locator("#view .status")).to_have_text(BACK)
    expect(page.locator("#view .fork-bar")).to_be_hidden()


def test_a_server_that_is_started_anew_in_the_midst_of_a_run_is_noticed(browser: Browser) -> None:
    """Gradio may load the page anew then; where it did not, the page went on running for good."""
    port = free_port()
    context = browser.new_context()
    page = context.new_page()
    imagen = recorded()
    with held(imagen, "base", 1), served(lambda: imagen, port) as address:
        page.goto(address)
        page.wait_for_selector(".lane[data-stage=sr1024]")
        page.wait_for_function("window.imagenArrived")
        begin(page, "a patient apple", steps=5)
        expect(page.locator(".lane[data-stage=base]")).to_have_attribute("data-frames", "1")
        page.evaluate("window.beforeTheReload = true")
    with served(recorded, port):
        page.wait_for_function(
            "!window.beforeTheReload || document.querySelector('#view .cascade').dataset.state === 'failed'"
        )
        prompt(page, "a patient apple")
    context.close()


def test_links_that_lead_away_open_beside_the_page(open_page: OpenPage) -> None:
    page = open_page()
    page.click("button[role=tab]:has-text('About')")
    links = page.locator(".about a[href^=http]")
    expect(links.first).to_be_visible()
    for link in links.all():
        expect(link).to_have_attribute("target", "_blank")
        expect(link).to_have_attribute("rel", "noopener")
