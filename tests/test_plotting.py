import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from course_lib import plotting


def drawing(**options):
    fig, ax = plotting.figure(**options)
    ax.plot([0, 1, 2], [0, 1, 0.5])
    ax.set_title("A finding ≤ and an arrow →")
    ax.set_xlabel("size")
    return fig


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_formula_against_published_values():
    # WCAG 2.2: black on white is 21:1; #767676 is the lightest grey that passes 4.5:1 on white.
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") >= 4.5 > contrast("#777777", "#ffffff")


@pytest.mark.parametrize("page", [0, 1], ids=["light", "dark"])
def test_every_colour_is_legible_on_its_page(page):
    paper = plotting.PALETTE["paper"][page]
    for name, pair in plotting.PALETTE.items():
        if name not in ("paper", "rule"):
            assert contrast(pair[page], paper) >= (4.5 if name in ("ink", "muted") else 3), name
    assert len({plotting.COLOURS[name] for name in plotting.COLOURS}) == len(plotting.PALETTE)


def test_svg_is_well_formed_and_names_itself():
    text = plotting.svg(drawing(), 'a "quoted" <alt> & more')
    root = ElementTree.fromstring(text)
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title.text == 'a "quoted" <alt> & more'


def test_svg_holds_no_fixed_colour_of_the_palette_outside_its_variables():
    text = plotting.svg(drawing(), "alt")
    style = re.search(r"<style>\.a2d.*?</style>", text)[0]
    rest = text.replace(style, "").lower()
    for name, (light, dark) in plotting.PALETTE.items():
        assert light not in rest, f"{name} would not change with the page"
        assert f"--a2d-{name}:{light};" in style and f"--a2d-{name}:{dark};" in style
    assert "var(--a2d-ink)" in rest and "var(--a2d-paper)" in rest and "var(--a2d-blue)" in rest


def test_dark_values_stand_in_the_dark_query():
    style = re.search(r"<style>(\.a2d.*?)</style>", plotting.svg(drawing(), "alt"))[1]
    before, dark = style.split("@media (prefers-color-scheme:dark)")
    assert plotting.PALETTE["paper"][0] in before and plotting.PALETTE["paper"][1] in dark
    assert plotting.PALETTE["paper"][1] not in before


def test_same_figure_gives_the_same_svg_without_a_date():
    assert plotting.svg(drawing(), "alt") == plotting.svg(drawing(), "alt")
    assert "<dc:date>" not in plotting.svg(drawing(), "alt")


def test_rounding_keeps_the_picture():
    """Coordinates are rounded to 0.01 point, scales of glyphs are not."""
    fig, ax = plotting.figure()
    ax.plot(np.linspace(0, 1, 7), np.linspace(0, 1, 7) ** 2)
    text = plotting.svg(fig, "alt")
    for path in re.findall(r' d="([^"]*)"', text):
        for number in re.findall(r"-?\d+\.(\d+)", path):
            assert len(number) <= 2
    line = next(p for p in re.findall(r' d="([^"]*)"', text) if p.count("L") == 6)
    xs = np.array(re.findall(r"[ML] (\S+) \S+", line), dtype=float)
    assert np.ptp(np.diff(xs)) <= 0.02 + 1e-9, "seven equal steps stay equal"
    assert "scale(0.11 -0.11)" in text


def test_text_is_drawn_as_paths_so_no_font_is_needed():
    assert "<text" not in plotting.svg(drawing(), "alt")


def test_fonts_are_the_course_s_own(recwarn):
    from matplotlib import font_manager

    for weight in ("normal", "bold"):
        file = font_manager.findfont(font_manager.FontProperties(family="Inter", weight=weight))
        assert "course_lib" in file
    plotting.png(drawing())
    assert not [w for w in recwarn if "glyph" in str(w.message).lower()], "a glyph is missing"


def captured(monkeypatch):
    shown = []
    import IPython.display

    monkeypatch.setattr(IPython.display, "display", lambda data, **options: shown.append((data, options)))
    return shown


def test_show_gives_svg_png_and_alt(monkeypatch):
    shown = captured(monkeypatch)
    plotting.show(drawing(), alt="It rises, then falls.", name="rise")
    (data, options), = shown
    assert set(data) == {"image/svg+xml", "image/png", "text/plain"}
    assert data["text/plain"] == "It rises, then falls."
    assert options == {"raw": True, "metadata": {"figure": "rise"}}


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_show_asks_for_an_alt(alt):
    with pytest.raises(ValueError, match="say in `alt`"):
        plotting.show(drawing(), alt=alt)


def draw_level(ax, level):
    ax.axhline(level)
    ax.set_ylim(0, 10)


def test_slider_links_each_position_to_its_picture(monkeypatch):
    import base64

    import ipywidgets

    shown = captured(monkeypatch)
    plotting.slider(draw_level, [1, 5, 9], "level", alt=lambda v: f"A line at {v}.", format=lambda v: f"{v} m")
    (data, _), = shown
    assert data["text/plain"] == "slider: level, 1 m to 9 m"
    from ipywidgets.widgets.widget import _instances

    box = _instances[data["application/vnd.jupyter.widget-view+json"]["model_id"]]
    control, stack = box.children
    assert [label for label, _ in control.options] == ["1 m", "5 m", "9 m"]
    assert (box.link.source, box.link.target) == ((control, "index"), (stack, "selected_index"))
    pictures = [
        base64.b64decode(re.search(r"base64,([^\"]+)", child.value)[1]).decode() for child in stack.children
    ]
    assert len(set(pictures)) == 3
    for value, picture, child in zip([1, 5, 9], pictures, stack.children):
        assert f"<title>A line at {value}.</title>" in picture and f'alt="A line at {value}."' in child.value


def test_states_draws_every_value_with_the_same_function(monkeypatch):
    captured(monkeypatch)
    drawn = []
    plotting.states(lambda ax, v: (drawn.append(v), draw_level(ax, v)), [1, 5, 9], alt="Three lines.", columns=2)
    assert drawn == [1, 5, 9]


def recordings():
    from types import SimpleNamespace

    def figures(**values):
        return {name.replace("_", "-"): SimpleNamespace(value=value) for name, value in values.items()}

    first = SimpleNamespace(hardware={"cpu": "Xeon", "gpu": None}, figures=figures(matmul_64=2.0, matmul_8=1.0, copy=9.0))
    second = SimpleNamespace(hardware={"cpu": "Xeon", "gpu": "H200"}, figures=figures(matmul_8=7.0))
    return [first, second], figures(matmul_8=3.0, matmul_16=4.0)


def test_the_reader_is_drawn_beside_the_recorded_machines():
    fig, ax = plotting.figure()
    machines, mine = recordings()
    plotting.beside_recorded(ax, machines, mine, r"matmul-(\d+)")
    lines = [list(map(tuple, line.get_xydata())) for line in ax.lines]
    assert lines == [[(8, 1), (64, 2)], [(8, 7)], [(8, 3), (16, 4)]]
    assert [text.get_text() for text in ax.texts] == ["Xeon", "H200", "you"]
    assert [text.xy for text in ax.texts] == [(64, 2), (8, 7), (8, 3)]
    assert len({line.get_marker() for line in ax.lines}) == 3, "colour alone must not tell the lines apart"


def test_a_pattern_without_figures_is_named():
    fig, ax = plotting.figure()
    machines, mine = recordings()
    with pytest.raises(ValueError, match="loss.*there are: matmul-8"):
        plotting.beside_recorded(ax, machines, mine, r"loss-(\d+)")


def test_a_recording_without_such_figures_is_left_out():
    fig, ax = plotting.figure()
    machines, mine = recordings()
    plotting.beside_recorded(ax, machines, mine, r"matmul-(16|64)")
    assert [text.get_text() for text in ax.texts] == ["Xeon", "you"]


def test_any_text_can_stand_in_a_figure():
    from xml.dom import minidom

    fig, ax = plotting.figure()
    ax.set_title("a -- b, #0072B2 <&> --")
    text = plotting.svg(fig, alt='He said "<b> & -->".')
    assert minidom.parseString(text).getElementsByTagName("title")[0].firstChild.data == 'He said "<b> & -->".'
    assert "<!--" not in text


@pytest.mark.parametrize("values, alt", [([], str), ([1, 2], lambda value: " ")])
def test_a_slider_without_values_or_words_is_refused(values, alt):
    with pytest.raises(ValueError, match="give values"):
        plotting.slider(draw_level, values, "level", alt=alt)


def test_values_may_come_from_a_generator(monkeypatch):
    shown, titles = captured(monkeypatch), []
    monkeypatch.setattr(plotting, "show", lambda fig, alt, name: titles.extend(ax.get_title(loc="left") for ax in fig.axes))
    plotting.states(draw_level, (v for v in (1, 5)), alt="Two lines.", title=lambda v: f"at {v}")
    assert titles == ["at 1", "at 5"]
    monkeypatch.undo()
    shown = captured(monkeypatch)
    plotting.slider(draw_level, (v for v in (1, 5)), "level", alt=str)
    assert shown[0][0]["text/plain"] == "slider: level, 1 to 5"


def test_without_the_stack_of_ipywidgets_8_the_kernel_changes_the_picture(monkeypatch):
    """Colab has ipywidgets 7, without Stack."""
    import ipywidgets
    from ipywidgets.widgets.widget import _instances

    monkeypatch.delattr(ipywidgets, "Stack")
    shown = captured(monkeypatch)
    plotting.slider(draw_level, [1, 5, 9], "level", alt=lambda v: f"A line at {v}.")
    (data, _), = shown
    control, picture = _instances[data["application/vnd.jupyter.widget-view+json"]["model_id"]].children
    assert 'alt="A line at 1."' in picture.value
    control.index = 2
    assert 'alt="A line at 9."' in picture.value
    control.index = 0
    assert 'alt="A line at 1."' in picture.value
