"""The one place for the style of figures: one drawing, legible on a light and on a dark page.

A figure is drawn once, in the light palette. `show` turns it into an SVG in which every colour of
the palette is a variable with a light and a dark value, so that the picture follows the page it
stands on, and adds a PNG for hosts that show no SVG. The alternative text travels with it.

    fig, ax = figure()
    ax.plot(sizes, rates, color=COLOURS["blue"])
    show(fig, alt="The rate rises until n = 512, then stays at 90 GFLOP/s.")

Categories follow Okabe and Ito's colour-blind safe set, darkened for paper until each has a
contrast of 3:1 (WCAG 2.2, success criterion 1.4.11). Never let colour alone carry the meaning:
label lines directly, vary markers and dashes.
"""

import base64
import io
import re
from pathlib import Path

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure

#: name -> (on the light page, on the dark page)
PALETTE = {
    "paper": ("#fbf9f4", "#16181b"),
    "ink": ("#23211d", "#dcd8cf"),
    "muted": ("#645e54", "#a19b8f"),
    "rule": ("#d9d3c6", "#3a3e44"),
    "blue": ("#0072b2", "#56b4e9"),
    "vermilion": ("#c65200", "#e8803a"),
    "green": ("#00795a", "#4fc3a1"),
    "purple": ("#a4487f", "#d98fbd"),
    "amber": ("#946400", "#e0b040"),
}
#: The colours to draw with, which are the light ones; `show` adds their dark twins.
COLOURS = {name: light for name, (light, _) in PALETTE.items()}
CYCLE = [COLOURS[name] for name in ("blue", "vermilion", "green", "purple", "amber")]
#: The colour map for quantities, perceptually uniform and readable in grey; the same on both pages.
SEQUENTIAL = "cividis"

_FONTS = Path(__file__).parent / "fonts"
for _font in sorted(_FONTS.glob("*.ttf")):
    font_manager.fontManager.addfont(_font)

STYLE = {
    "figure.facecolor": COLOURS["paper"],
    "figure.dpi": 96,
    "figure.constrained_layout.use": True,
    "savefig.facecolor": COLOURS["paper"],
    "font.family": ["Inter", "DejaVu Sans"],  # DejaVu has the arrows and Greek that Inter's subset lacks
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.facecolor": COLOURS["paper"],
    "axes.edgecolor": COLOURS["muted"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.titlecolor": COLOURS["ink"],
    "axes.prop_cycle": matplotlib.cycler(color=CYCLE),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.7,
    "text.color": COLOURS["ink"],
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "legend.frameon": False,
    "image.cmap": SEQUENTIAL,
    "mathtext.fontset": "dejavusans",
    "svg.fonttype": "path",  # the picture must not depend on the fonts of the reader's machine
    "svg.hashsalt": "attention-to-detail",  # equal figures give equal files
}


def figure(width=5.0, height=3.0, **subplots):
    """A figure in the course's style and its axes, as `matplotlib.pyplot.subplots` returns them.

    `width` and `height` are inches. At the default width the text stays readable on a phone
    (5 inches are 480 CSS pixels, so 11 pt shrinks to about 11 pixels at 350).
    The figure belongs to no pyplot window: `show` is the only way it is displayed. The style is set
    for the whole session, since matplotlib reads it whenever a title or a legend is added.
    """
    matplotlib.rcParams.update(STYLE)
    fig = Figure(figsize=(width, height))
    return fig, fig.subplots(**subplots)


def svg(fig, alt):
    """The figure as SVG text that follows the page's colour scheme. `alt` becomes its title.

    The same figure gives the same text: no date, salted ids, coordinates rounded to 0.01 point.
    """
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)   # labels, which may hold "--"
    text = re.sub(r" (?:d|x|y|points)=\"[^\"]*\"", _round_numbers, text)
    for name, (light, _) in PALETTE.items():
        text = re.sub(light, f"var(--a2d-{name})", text, flags=re.IGNORECASE)
    light, dark = (
        "".join(f"--a2d-{name}:{pair[i]};" for name, pair in PALETTE.items()) for i in (0, 1)
    )
    style = f"<style>.a2d{{{light}}}@media (prefers-color-scheme:dark){{.a2d{{{dark}}}}}</style>"
    head_end = text.index(">") + 1
    head = text[:head_end].replace("<svg", '<svg class="a2d" role="img"', 1)
    return f"{head}<title>{_escape(alt)}</title>{style}{text[head_end:]}"


def png(fig):
    """The figure as PNG bytes in the light palette, at twice the screen's resolution."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=192, metadata={"Software": None})
    return buffer.getvalue()


def show(fig, alt, name=None):
    """Display `fig` below the cell, with `alt`: what the figure shows, in a sentence or two.

    A figure with a `name` can be shown on a page of the book too: ```{lesson-figure} NN_name name```.
    Raises ValueError where `alt` is empty: a reader who cannot see the figure reads this instead.
    """
    from IPython.display import display

    if not alt.strip():
        raise ValueError("show(fig, alt): say in `alt` what the figure shows")
    bundle = {
        "image/svg+xml": svg(fig, alt),
        "image/png": base64.b64encode(png(fig)).decode(),
        "text/plain": alt,
    }
    display(bundle, raw=True, metadata={"figure": name} if name else None)


def beside_recorded(ax, recordings, mine, pattern):
    """Draw the figures whose names match `pattern`, for each recorded machine and for the reader.

    `recordings` is what `results.load` gives, `mine` the reader's {name: Figure}. `pattern` is a
    regular expression whose first group is the number to draw a figure at. Machines are labelled at
    their last point, the reader's thin line with open circles at its first. A recording without such
    figures is left out; ValueError where the reader has none.
    """

    def line(figures):
        found = (re.fullmatch(pattern, name) for name in figures)
        return sorted((float(match[1]), figures[match[0]].value) for match in found if match)

    if not line(mine):
        raise ValueError(f"no figure is called like {pattern!r}; there are: {', '.join(mine)}")
    recordings = [recording for recording in recordings if line(recording.figures)]
    for number, recording in enumerate(recordings):
        x, y = zip(*line(recording.figures))
        colour, marker = CYCLE[number % len(CYCLE)], "sD^v<>"[number % 6]
        name = recording.hardware["gpu"] or recording.hardware["cpu"]
        ax.plot(x, y, color=colour, marker=marker)
        ax.annotate(name, (x[-1], y[-1]), xytext=(0, -18), textcoords="offset points", ha="right", color=colour)
    x, y = zip(*line(mine))
    ax.plot(x, y, color=COLOURS["ink"], linewidth=1, marker="o", markerfacecolor=COLOURS["paper"])
    ax.annotate("you", (x[0], y[0]), xytext=(10, -4), textcoords="offset points")


def slider(draw, values, label, alt, format=str, width=5.0, height=3.0):
    """A slider over `values`; each position shows the figure that `draw(ax, value)` draws.

    Every picture is drawn beforehand and the link between slider and picture lives in the page,
    so it answers at once and works without a kernel, in the rendered book too. (ipywidgets 7, which
    Colab has, lacks the widget for this; there the kernel changes the picture.)
    `alt(value)` is the alternative text of one picture; `format(value)` the slider's readout, with
    its unit. The static twin is `states` with the same `draw`.
    """
    import ipywidgets
    from IPython.display import display

    values, pictures = list(values), []
    if not values or not all(alt(value).strip() for value in values):
        raise ValueError("slider(draw, values, label, alt): give values, and an `alt(value)` that says what each picture shows")
    for value in values:
        fig, ax = figure(width, height)
        draw(ax, value)
        data = base64.b64encode(svg(fig, alt(value)).encode()).decode()
        pictures.append(
            ipywidgets.HTML(f'<img alt="{_escape(alt(value))}" src="data:image/svg+xml;base64,{data}">')
        )
    control = ipywidgets.SelectionSlider(
        options=[(format(value), i) for i, value in enumerate(values)],
        description=label,
        style={"description_width": "initial"},
        layout={"width": "min(100%, 30rem)"},
    )
    if hasattr(ipywidgets, "Stack"):
        box = ipywidgets.VBox([control, ipywidgets.Stack(pictures, selected_index=0)])
        # An attribute keeps the link alive as long as the box.
        box.link = ipywidgets.jslink((control, "index"), (box.children[1], "selected_index"))
    else:
        sources = [picture.value for picture in pictures]
        box = ipywidgets.VBox([control, pictures[0]])
        control.observe(lambda change: setattr(pictures[0], "value", sources[change["new"]]), "index")
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    text = f"slider: {label}, {format(values[0])} to {format(values[-1])}"
    display({"application/vnd.jupyter.widget-view+json": view, "text/plain": text}, raw=True)


def states(draw, values, alt, title=str, name=None, width=5.0, height=2.2, columns=1):
    """The static twin of `slider`: the figures of several `values` side by side or below each other.

    `height` is that of one panel, in inches; `title(value)` names a panel; `alt` describes the whole.
    """
    values = list(values)
    rows = -(-len(values) // columns)
    fig, axes = figure(width, height * rows, nrows=rows, ncols=columns, squeeze=False)
    for ax, value in zip(axes.flat, values):
        draw(ax, value)
        ax.set_title(title(value))
    for ax in axes.flat[len(values) :]:
        ax.set_axis_off()
    show(fig, alt, name)


def _round_numbers(match):
    return re.sub(
        r"-?\d+\.\d+", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), match[0]
    )


def _escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
