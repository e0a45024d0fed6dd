"""The Sphinx side of the look: what a page loads, and the theme's options.

Jupyter Book replaces the theme's whole dictionary of options when one is set in
`_config.yml`, so ours are merged into it here.
"""

import re

from docutils import nodes

# Served by Sphinx or by an extension on every page; needed where the page has such a node.
MATHEMATICS = (nodes.math, nodes.math_block)

NOT_FOUND = """<h1>This page is not in the book</h1>
<p>The address may be an old one, or have a letter too many. What you want is probably here:</p>
<ul><li><a href="{0}book/index.html">the front page</a>, with all chapters</li>
<li><a href="{0}book/00_start.html">the first lesson</a></li>
<li><a href="{0}book/claims.html">what the posts claimed</a></li>
<li><a href="{0}book/api.html">the library</a></li>
<li><a href="{0}search.html">the search</a></li></ul>"""


def merge_options(app, config):
    options = config.html_theme_options
    options["logo"] = {"image_light": "_static/logo-light.svg", "image_dark": "_static/logo-dark.svg",
                       "alt_text": f"{config.html_title}, home"}
    options["show_toc_level"] = 2
    config.project = config.html_title
    config.ogp_site_name = config.html_title
    config.html_favicon = "_static/favicon.svg"
    # Formulas are text, not controls: the menu offers renderers that are not vendored.
    config.mathjax3_config = {"options": {"enableMenu": False}}
    # The theme of a diagram follows the page's, with our colours and our face.
    kinds = ("flowchart", "sequence", "state", "class", "timeline", "gantt")
    config.mermaid_init_config = {"startOnLoad": False, "fontFamily": "Inter, sans-serif",
                                  **{kind: {"useMaxWidth": False} for kind in kinds}}   # the size it needs, no more
    config.mermaid_dark_theme, config.mermaid_light_theme = "dark", "neutral"
    config.mermaid_height = "auto"
    config.mermaid_fullscreen = False
    config.notfound_context = {"title": "This page is not in the book", "body": NOT_FOUND.format(config.notfound_urls_prefix or "/")}
    config.copybutton_prompt_text, config.copybutton_prompt_is_regexp = r"\$ |>>> |\.\.\. ", True


def only_needed_scripts(app, pagename, templatename, context, doctree):
    """MathJax, mermaid and thebe are put on pages that have no use for them."""
    def needed(script):
        text = f"{getattr(script, 'filename', script)} {getattr(script, 'attributes', {}).get('body', '')}"
        if "mathjax" in text.lower():
            return doctree is not None and any(doctree.next_node(kind) for kind in MATHEMATICS)
        if "mermaid" in text:
            return doctree is not None
        return "thebe" not in text.lower()

    context["script_files"] = [s for s in context["script_files"] if needed(s)]
    context["unblocked"] = unblocked
    # docutils calls the bibliography a list, but its entries are not list items.
    context["body"] = context.get("body", "").replace('<div role="list" class="citation-list">', '<div class="citation-list">')


def unblocked(head):
    """The theme's head without the script (1.4 MB) that draws the icons a second time, as SVG;
    the style sheet draws them already. The icon font for outlines is not used either."""
    head = re.sub(r"<script [^>]*fontawesome[^>]*></script>", "", head)
    return re.sub(r"<link [^>]*fa-regular[^>]*>", "", head)


def setup(app):
    app.connect("config-inited", merge_options)
    app.connect("html-page-context", only_needed_scripts, priority=900)   # after those that add them
    return {"parallel_read_safe": True}
