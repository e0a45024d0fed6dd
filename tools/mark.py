"""Draw the mark of the course: logo (light and dark), favicon, and the card that other sites show.

    python tools/mark.py                      # the SVG files, into _static/
    python tools/mark.py --card chromium      # and card.png, drawn by that browser

The mark is the smallest causal mask that still reads as one: a token attends to itself (accent)
and to what came before it (ink). Letters become paths, since an `<img>` has no web fonts.
Needs `pip install fonttools brotli`; the card also needs Chromium and playwright.
"""

import argparse
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "_static"
FONT = STATIC / "fonts" / "source-serif-4-latin-wght-normal.woff2"
INK, ACCENT = {"light": "#23211d", "dark": "#dcd8cf"}, {"light": "#a8430a", "dark": "#f0a873"}


def mask(size=32, n=4, gap=0.22):
    """The squares of an n x n causal mask as (x, y, side, is_diagonal)."""
    step = size / (n + (n - 1) * gap)
    return [(column * step * (1 + gap), row * step * (1 + gap), step, row == column)
            for row in range(n) for column in range(row + 1)]


def squares(ink, accent, size=32, n=4):
    return "".join(f'<rect x="{x:.2f}" y="{y:.2f}" width="{s:.2f}" height="{s:.2f}" rx="{s * 0.14:.2f}" '
                   f'fill="{accent if diagonal else ink}"/>' for x, y, s, diagonal in mask(size, n))


def letters(text, height, weight=600):
    """`text` as one SVG path with capital letters `height` high; returns (path data, width)."""
    from fontTools.pens.svgPathPen import SVGPathPen
    from fontTools.pens.transformPen import TransformPen
    from fontTools.ttLib import TTFont
    from fontTools.varLib.instancer import instantiateVariableFont
    font = instantiateVariableFont(TTFont(FONT), {"wght": weight})
    glyphs, cmap, scale = font.getGlyphSet(), font.getBestCmap(), height / font["OS/2"].sCapHeight
    pen, x = SVGPathPen(glyphs, ntos=lambda v: f"{v:.1f}".rstrip("0").rstrip(".")), 0
    for character in text:
        glyph = glyphs[cmap[ord(character)]]
        glyph.draw(TransformPen(pen, (scale, 0, 0, -scale, x, 0)))
        x += glyph.width * scale
    return pen.getCommands(), x


def logo(theme):
    path, width = letters("Attention to Detail", 17)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {44 + width:.0f} 34" role="img">'
            f'<title>Attention to Detail</title><g transform="translate(1 1)">{squares(INK[theme], ACCENT[theme])}</g>'
            f'<path transform="translate(43 25.5)" fill="{INK[theme]}" d="{path}"/></svg>\n')


def favicon():
    style = (f"<style>.i{{fill:{INK['light']}}}.a{{fill:{ACCENT['light']}}}@media (prefers-color-scheme:dark)"
             f"{{.i{{fill:{INK['dark']}}}.a{{fill:{ACCENT['dark']}}}}}</style>")
    body = squares("I", "A").replace('fill="I"', 'class="i"').replace('fill="A"', 'class="a"')
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1 -1 34 34">{style}{body}</svg>\n'


def badge():
    """A plain "Open in Colab" badge: an image from elsewhere would be a request to elsewhere."""
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="118" height="22" role="img"><title>Open in Colab</title>'
            '<rect width="118" height="22" rx="4" fill="#23211d"/>'
            '<path d="M10 6.5v9l7-4.5z" fill="#f0a873"/><text x="24" y="15.2" fill="#fbf9f4" '
            'font-family="Inter,Verdana,DejaVu Sans,sans-serif" font-size="12">Open in Colab</text></svg>\n')


def card(browser):
    """The 1200 x 630 picture that a link to the course is shown with."""
    from playwright.sync_api import sync_playwright
    lines = [letters(words, 66)[0] for words in ("Attention", "to Detail")]
    picture = STATIC.parent / "book" / "cards" / "hero.svg"
    page_ = f"""<body style="margin:0;background:#fbf9f4"><svg width="1200" height="630" xmlns="http://www.w3.org/2000/svg">
      <style>@font-face{{font-family:S;src:url("{FONT.as_uri()}");font-weight:200 900}}</style>
      <image href="{picture.as_uri()}" x="528" y="46" width="636"/>
      <g transform="translate(80 76)">{squares(INK["light"], ACCENT["light"], size=76)}</g>
      <path transform="translate(76 292)" d="{lines[0]}" fill="{INK["light"]}"/>
      <path transform="translate(76 394)" d="{lines[1]}" fill="{INK["light"]}"/>
      <text x="80" y="470" font-family="S" font-size="33" fill="#a8430a">Transformers taken apart,</text>
      <text x="80" y="514" font-family="S" font-size="33" fill="#a8430a">rebuilt and measured.</text></svg>"""
    source = STATIC / "card.html"
    source.write_text(page_)
    try:
        with sync_playwright() as p:
            b = p.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
            page = b.new_page(viewport={"width": 1200, "height": 630})
            page.goto(source.as_uri())
            page.evaluate("document.fonts.ready")
            page.screenshot(path=STATIC / "card.png")
            b.close()
    finally:
        source.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--card", metavar="CHROMIUM", help="also draw card.png, with this browser")
    args = parser.parse_args()
    for theme in ("light", "dark"):
        (STATIC / f"logo-{theme}.svg").write_text(logo(theme))
    (STATIC / "favicon.svg").write_text(favicon())
    (STATIC / "colab-badge.svg").write_text(badge())
    if args.card:
        card(args.card)
