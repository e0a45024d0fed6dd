"""The built book: links, pictures, addresses, nothing that should not be published."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import addresses
import claims
import figures
import ledger
import pytest
import recorded
import yaml

ROOT = Path(__file__).resolve().parent.parent
URL = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]


class Page(HTMLParser):
    """The ids, links, loads and pictures of one HTML page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.loads, self.images, self.meta, self.title = set(), [], [], [], {}, ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag in ("script", "img", "iframe", "source") and attributes.get("src"):
            self.loads.append(attributes["src"])
        if tag == "link" and attributes.get("rel") not in ("canonical",) and attributes.get("href"):
            self.loads.append(attributes["href"])
        if tag == "img":
            self.images.append(attributes)
        if tag == "meta":
            self.meta[attributes.get("property") or attributes.get("name")] = attributes.get("content")


@pytest.fixture(scope="session")
def pages(site):
    return {path.relative_to(site).as_posix(): Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}


def test_the_pages_are_there(pages):
    assert {"book/index.html", "book/00_start.html", "notebooks/00_start.html", "book/claims.html", "book/api.html",
            "book/references.html", "search.html", "404.html", "index.html"} <= set(pages)  # fmt: skip


def test_every_link_inside_the_book_leads_somewhere(site, pages):
    broken = []
    for name, page in pages.items():
        for link in page.links + page.loads:
            if urlparse(link).scheme or link.startswith(("//", "data:")):
                continue
            target, fragment = urldefrag(urljoin(f"http://x/{name}", link))
            path = unquote(urlparse(target).path.lstrip("/")) or "index.html"
            if not (site / path).is_file():
                broken.append((name, link))
            elif fragment and path in pages and unquote(fragment) not in pages[path].ids:
                broken.append((name, link))
    assert not broken


def test_nothing_is_loaded_from_elsewhere(pages):
    outside = [(name, load) for name, page in pages.items() for load in page.loads if urlparse(load).netloc]
    assert not outside


def test_every_picture_has_a_text(pages):
    without = [(name, image.get("src")) for name, page in pages.items() for image in page.images if not image.get("alt")]
    assert not without
    for name, page in pages.items():
        for image in page.images:
            assert not image["alt"].endswith((".svg", ".png")), f"{name}: the alt text is a file name"


def test_no_solution_hidden_test_or_path_of_a_machine_is_published(site):
    for path in site.rglob("*"):
        if path.suffix in (".html", ".js", ".ipynb", ".md", ".txt", ".json") and "vendor" not in path.parts:
            text = path.read_text(encoding="utf-8", errors="replace")
            if path.stem not in ("instructors", "api", "searchindex"):   # these speak of the marks
                assert "BEGIN SOLUTION" not in text and "BEGIN HIDDEN" not in text, path
            if "_static" not in path.parts:
                assert str(ROOT) not in text, path


def test_buttons_lead_to_the_repository_and_its_notebooks(pages):
    slug = "/".join(URL.split("/")[-2:])
    links = "\n".join(pages["notebooks/00_start.html"].links)
    assert f"https://colab.research.google.com/github/{slug}/blob/main/notebooks/00_start.ipynb" in links
    assert f"https://mybinder.org/v2/gh/{slug}/main?urlpath=lab/tree/notebooks/00_start.ipynb" in links
    links = "\n".join(pages["book/00_start.html"].links)
    assert f"{URL}/edit/main/book/00_start.md" in links
    assert f"{URL}/issues/new" in links
    for name, page in pages.items():
        for link in page.links:
            if "/attention-to-detail" in link and "github.com/" in link:
                assert slug in link, (name, link)


def test_sitemap_and_card_use_the_site_s_address(site, pages):
    address = addresses.site_url(URL)
    sitemap = (site / "sitemap.xml").read_text()
    listed = set(re.findall(r"<loc>(.*?)</loc>", sitemap))
    assert {f"{address}{name}" for name in ("book/index.html", "book/00_start.html", "notebooks/00_start.html")} <= listed
    assert pages["book/00_start.html"].meta["og:image"] == f"{address}_static/card.png"
    assert (site / "_static" / "card.png").is_file()


def test_site_url_of_a_fork():
    assert addresses.site_url("https://github.com/ada/course/") == "https://ada.github.io/course/"


def test_every_module_of_the_library_is_on_the_api_page(pages):
    for path in (ROOT / "course_lib").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if not name.endswith(("__init__", "__main__")):   # a command is described where it is used
            assert f"module-{name}" in pages["book/api.html"].ids, f"{name} is missing in book/api.md"


def test_every_claim_has_its_row(site):
    html = (site / "book" / "claims.html").read_text(encoding="utf-8")
    rows = set(re.findall(r'id="(claim-[^"]+)"', html))
    for chapter in ledger.load_all():
        for claim in chapter["claims"]:
            assert f"claim-{chapter['chapter']}-{claim['id']}".replace("_", "-") in rows
    assert html.count('class="verdict') >= len(rows)


def test_the_closing_table_of_start_here_shows_value_rule_and_verdict(site):
    html = (site / "book" / "00_start.html").read_text(encoding="utf-8")
    rows = {i: re.sub(r"<[^>]+>", " ", body) for i, body in re.findall(r'<tr[^>]*id="claim-00-start-([^"]+)"[^>]*>(.*?)</tr>', html, re.DOTALL)}
    assert set(rows) == {"seed-repeats-draws", "different-platforms", "not-between-cpu-and-gpu"}
    assert "CPU: yes" in rows["seed-repeats-draws"] and "holds" in rows["seed-repeats-draws"]
    assert "the value = false" in rows["different-platforms"] and "CPU: no" in rows["different-platforms"]
    assert "holds" in rows["different-platforms"].split("CPU: no")[1]
    assert "cannot be tested here" in rows["not-between-cpu-and-gpu"]


def test_recorded_figures_stand_in_the_prose(site):
    from course_lib import results

    figure = results.load("machine")[0].figures["matmul-float32-1024-1-thread"]
    text = (site / "book" / "00_start.html").read_text(encoding="utf-8")
    assert f"{figure.value:.0f}\N{NO-BREAK SPACE}GFLOP/s" in text


@pytest.mark.parametrize(
    "figure, form, text",
    [
        ({"value": 1.234, "low": 1.1, "high": 1.39, "unit": "s"}, ".2f", "1.23 [1.10, 1.39] s"),
        ({"value": 97.4, "low": 97.4, "high": 97.4, "unit": "GFLOP/s"}, ".0f", "97 GFLOP/s"),
        ({"value": -4.7, "low": -4.7, "high": -4.7, "unit": ""}, ".3g", "\N{MINUS SIGN}4.7"),
        ({"value": 0.5, "low": 0.5, "high": 0.5, "unit": "ratio"}, ".3g", "0.5"),
        ({"value": True, "low": True, "high": True, "unit": ""}, ".3g", "yes"),
        ({"value": False, "low": False, "high": False, "unit": ""}, ".3g", "no"),
        ({"value": 7, "low": 7, "high": 7, "unit": ""}, ".3g", "7"),
    ],
)
def test_numbers_are_written_for_readers(figure, form, text):
    assert claims.number(figure, form) == text


def test_run_links():
    links = recorded.run_links({"repository_url": "https://github.com/ada/course/", "repository_branch": "trunk"}, "03_x")
    assert links == {
        "Open in Colab": "https://colab.research.google.com/github/ada/course/blob/trunk/notebooks/03_x.ipynb",
        "Open in Binder": "https://mybinder.org/v2/gh/ada/course/trunk?urlpath=lab/tree/notebooks/03_x.ipynb",
    }


def test_a_lesson_figure_that_is_not_there_is_named():
    with pytest.raises(ledger.LedgerError, match="no figure named 'sales'"):
        figures.find(ROOT / "notebooks" / "00_start.ipynb", "sales")
    svg, alt = figures.find(ROOT / "notebooks" / "00_start.ipynb", "rates")
    assert svg.startswith("<svg") and "float32 product" in alt
