"""_ext/look.py: what a page loads, and the theme's options."""
from types import SimpleNamespace

import look
import pytest
from docutils import nodes

SCRIPTS = ["_static/vendor/mathjax/tex-chtml.js", "_static/mermaid.esm.mjs", "_static/thebe.js", "_static/theme.js"]
INLINE = SimpleNamespace(filename=None, attributes={"body": "window.MathJax = {}"})


def page(*content):
    return nodes.section("", *content)


def loaded(doctree, scripts=SCRIPTS):
    context = {"script_files": list(scripts), "body": ""}
    look.only_needed_scripts(None, "a", "page.html", context, doctree)
    return context["script_files"]


@pytest.mark.parametrize("node", [nodes.math("", "x"), nodes.math_block("", "x")])
def test_a_page_with_a_formula_loads_what_typesets_it(node):
    assert loaded(page(nodes.paragraph("", "", node))) == [SCRIPTS[0], SCRIPTS[1], SCRIPTS[3]]
    assert loaded(page(node), [INLINE]) == [INLINE]


def test_a_page_without_loads_less():
    assert loaded(page(nodes.paragraph("", "x"))) == [SCRIPTS[1], SCRIPTS[3]]
    assert loaded(page(), [INLINE]) == []


def test_a_page_without_a_source_loads_only_the_theme():
    """The search, the index, the page for what is not there."""
    assert loaded(None) == [SCRIPTS[3]]


def test_entries_of_the_bibliography_are_not_in_a_list_role():
    context = {"script_files": [], "body": '<div role="list" class="citation-list"><div role="list">'}
    look.only_needed_scripts(None, "a", "page.html", context, page())
    assert context["body"] == '<div class="citation-list"><div role="list">'


def test_icons_are_drawn_once():
    head = ('<link href="a.css"><script src="x/fontawesome.js?digest=1"></script><script src="keep.js"></script>'
            '<link rel="preload" href="webfonts/fa-regular-400.woff2"><link href="webfonts/fa-solid-900.woff2">')
    assert look.unblocked(head) == ('<link href="a.css"><script src="keep.js"></script>'
                                    '<link href="webfonts/fa-solid-900.woff2">')


def merged(prefix="/course/"):
    config = SimpleNamespace(html_theme_options={"use_edit_page_button": True}, html_title="A Book", notfound_urls_prefix=prefix)
    look.merge_options(None, config)
    return config


def test_options_are_added_to_those_of_the_theme():
    config = merged()
    assert config.html_theme_options["use_edit_page_button"] is True
    assert config.html_theme_options["logo"]["alt_text"] == "A Book, home"
    assert config.project == config.ogp_site_name == "A Book"


@pytest.mark.parametrize("prefix, base", [("/course/", "/course/"), ("", "/"), (None, "/")])
def test_links_of_the_page_for_what_is_not_there(prefix, base):
    body = merged(prefix).notfound_context["body"]
    assert body.count(f'href="{base}book/') == 4 and f'href="{base}search.html"' in body and "{" not in body
