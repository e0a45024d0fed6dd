"""Every page in headless Chromium: errors, requests, accessibility, mathematics, widgets, phones."""

import shutil
import threading
from pathlib import Path

import pytest

from tools import book

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (README: system packages)")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
ROOT = Path(__file__).resolve().parent.parent
PAGES = ["book/index.html", "404.html", "search.html", "genindex.html", *sorted(
    str(path.relative_to(ROOT).with_suffix(".html"))
    for pattern in ("book/[0-9]*.md", "book/claims.md", "book/api.md", "book/references.md", "notebooks/*.ipynb")
    for path in ROOT.glob(pattern)
)]  # fmt: skip


class Site:
    """A browser that may reach the served book and nothing else; what it tried is counted."""

    def __init__(self, browser, address):
        self.browser, self.address, self.outside, self.errors = browser, address, [], []

    def open(self, name, theme="light", width=1280):
        context = self.browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
        )
        context.route("**/*", self.route)
        page = context.new_page()
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(self.address + name)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        return page

    def route(self, route):
        if route.request.url.startswith(self.address):
            return route.continue_()
        self.outside.append(route.request.url)
        route.abort()


@pytest.fixture(scope="session")
def running(site):
    from playwright.sync_api import sync_playwright

    server = book.server(site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser, f"http://127.0.0.1:{server.server_address[1]}/"
        browser.close()
    server.shutdown()


@pytest.fixture
def web(running):
    web = Site(*running)
    yield web
    for context in web.browser.contexts:
        context.close()


def test_the_guard_sees_a_request_to_elsewhere(web):
    """The counter that must stay at zero can count."""
    page = web.open("book/index.html")
    page.evaluate("fetch('https://example.invalid/x').catch(() => {})")
    page.evaluate("document.head.appendChild(Object.assign(document.createElement('script'), {src: '//cdn.invalid/y.js'}))")
    page.wait_for_timeout(200)
    assert [url.split("/")[2] for url in web.outside] == ["example.invalid", "cdn.invalid"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_page(web, name, theme):
    """No console error, no request to elsewhere, no serious accessibility violation."""
    from axe_playwright_python.sync_playwright import Axe

    page = web.open(name, theme)
    page.evaluate("[...document.querySelectorAll('main details')].slice(0, 3).forEach(box => box.open = true)")
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False}).response["violations"]
    serious = [
        f"{v['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for v in found if v["impact"] in ("serious", "critical") for node in v["nodes"]
    ]  # fmt: skip
    assert not serious
    assert web.outside == []
    assert web.errors == []


def test_the_accessibility_check_can_fail(web):
    from axe_playwright_python.sync_playwright import Axe

    page = web.open("book/index.html")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<p style=\"color:#ccc;background:#fff\">pale</p><img src=\"\">')")
    found = {v["id"] for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")}
    assert {"color-contrast", "image-alt"} <= found


@pytest.mark.parametrize("name", PAGES)
def test_phone(web, name):
    """At 390 pixels nothing scrolls sideways but boxes made for it."""
    page = web.open(name, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert web.errors == []


def test_mathematics_is_typeset(web):
    page = web.open("notebooks/00_start.html")
    page.wait_for_selector("mjx-container")
    assert page.locator("mjx-merror").count() == 0
    assert "$" not in page.locator("main article").inner_text().replace("$ ", "")


def test_the_slider_works_from_the_keyboard_without_a_kernel(web):
    page = web.open("notebooks/00_start.html")
    handle = page.locator(".widget-slider [role=slider], .widget-slider .noUi-handle").first
    handle.wait_for()

    def shown():
        return page.locator(".jupyter-widgets img:visible").get_attribute("alt")

    assert shown().startswith("1 part:")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.locator('.jupyter-widgets img[alt^="4 parts"]').wait_for()
    assert page.locator(".jupyter-widgets img:visible").count() == 1
    assert page.locator(".widget-readout").inner_text() == "4 parts"
    page.keyboard.press("End")
    page.locator('.jupyter-widgets img[alt^="1048576 parts"]').wait_for()
    assert page.locator(".jupyter-widgets img:visible").count() == 1


def test_a_figure_follows_the_theme(web):
    """The paper of a figure is the paper of the page, in both themes."""
    import io

    from PIL import Image

    def corner(theme):
        page = web.open("notebooks/00_start.html", theme)
        image = page.locator("div.cell_output img").last
        image.scroll_into_view_if_needed()
        return Image.open(io.BytesIO(image.screenshot())).convert("RGB").getpixel((2, 2))

    from course_lib.plotting import PALETTE

    for theme, colour in zip(("light", "dark"), PALETTE["paper"]):
        assert corner(theme) == tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_search_finds_a_word_of_the_lesson(web):
    page = web.open("search.html?q=bootstrap")
    page.wait_for_selector("#search-results li a")
    assert "00_start" in "".join(a.get_attribute("href") for a in page.locator("#search-results li a").all())


def test_an_unknown_address_gets_the_book_s_own_page(web):
    context = web.browser.new_context()
    page = context.new_page()
    response = page.goto(web.address + "no/such/page.html")
    assert response.status == 404
    assert page.locator("a[href*='index.html']").count() >= 1
    assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith('"Source Serif 4"')


def test_the_switch_changes_the_theme_and_the_choice_stays(web):
    from course_lib.plotting import PALETTE

    def paper(theme):
        red, green, blue = (int(PALETTE["paper"][theme == "dark"][i : i + 2], 16) for i in (1, 3, 5))
        return f"getComputedStyle(document.body).backgroundColor === 'rgb({red}, {green}, {blue})'"

    page = web.open("book/00_start.html", "light")
    page.wait_for_function(paper("light"))
    while page.evaluate("document.documentElement.dataset.mode") != "dark":  # the switch goes round three modes
        page.locator("button.theme-switch-button").first.click()
    page.wait_for_function(paper("dark"))
    page.goto(web.address + "book/claims.html")
    page.wait_for_function(paper("dark"))
