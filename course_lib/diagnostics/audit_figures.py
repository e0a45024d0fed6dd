"""The figures of an audit, through `course_lib.plotting`: each with its alternative text. Shown in chapter 4."""
import numpy

from course_lib.diagnostics.audit_texts import STRANGE
from course_lib.plotting import COLOURS, figure


def draw(report, which: str):
    """(figure, alternative text) of an `AuditReport`. which: a name of `FIGURES`.

    Raises ValueError for another name, and for a figure of a check that did not run on these data.
    """
    if which not in FIGURES:
        raise ValueError(f"no figure {which!r}; there are: {', '.join(FIGURES)}")
    needs, drawing = FIGURES[which]
    if needs and needs not in report.seen:
        raise ValueError(f"{which!r} needs the check {needs!r}, which did not run: "
                         f"{'; '.join(report.notes) or 'these data have nothing of the kind'}")
    return drawing(report)


def _overview(report):
    """Each check, and how sure its alarm is."""
    rows = report.table()[::-1]
    fig, ax = figure(height=0.28 * len(rows) + 1)
    for y, row in enumerate(rows):
        sure = row["confidence"]
        ax.plot([0, max(sure, 0.005)], [y, y], color=COLOURS["vermilion" if sure else "muted"], linewidth=6,
                solid_capstyle="butt")
        ax.annotate(row["alarm"] or "nothing", (max(sure, 0.005), y), xytext=(5, 0), textcoords="offset points",
                    va="center", fontsize=9, color=COLOURS["ink" if sure else "muted"])
    ax.set_yticks(range(len(rows)), [row["check"] for row in rows])
    ax.set(xlim=(0, 1.6), xticks=[0, 0.5, 1], xlabel="how sure")
    ax.grid(axis="y", visible=False)
    alarms = [row["check"] for row in rows if row["alarm"]]
    title = f"{len(alarms)} of {len(rows)} checks raise an alarm" if alarms else f"{len(rows)} checks, no alarm"
    ax.set_title(title)
    return fig, f"{title}{': ' + ', '.join(reversed(alarms)) if alarms else ''}."


def _balance(report):
    shares = report.seen["balance"].numbers["shares"]
    names, values = zip(*sorted(shares.items(), key=lambda item: item[1])[-12:])
    fig, ax = figure(height=0.4 * len(names) + 1)
    ax.barh(range(len(names)), values, color=COLOURS["blue"], height=0.6)
    for y, value in enumerate(values):
        ax.annotate(f"{value:.1%}", (value, y), xytext=(4, 0), textcoords="offset points", va="center")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlim=(0, max(values) * 1.25), xlabel="share of the rows")
    ax.grid(axis="y", visible=False)
    ax.set_title(f"{names[-1]} is {values[-1]:.0%} of the labels")
    return fig, "Shares of the labels: " + ", ".join(f"{name} {value:.1%}" for name, value in zip(names[::-1], values[::-1])) + "."


def _lengths(report):
    numbers = report.seen["lengths"].numbers
    counts = numbers["counts"]
    fig, ax = figure()
    edges = numpy.linspace(0, max(1, min(counts.max(), 3 * numbers["high"])), 31)
    ax.hist(numpy.minimum(counts, edges[-1]), bins=edges, color=COLOURS["blue"])
    title = f"Half of the texts are longer than {numbers['median']:.0f}"
    alt = f"Histogram of the lengths of the texts; {report.seen['lengths'].says}."
    cut = report.seen.get("truncation")
    if cut:
        limit, share = cut.numbers["limit"], cut.numbers["share"]
        ax.set_ylim(top=ax.get_ylim()[1] * 1.15)    # room for the label
        ax.axvline(limit, color=COLOURS["vermilion"], linestyle="--")
        right = limit < edges[-1] / 2
        ax.annotate("cut from here on", (limit, ax.get_ylim()[1]), xytext=(5 if right else -5, -12),
                    textcoords="offset points", color=COLOURS["vermilion"], ha="left" if right else "right")
        title, alt = f"The limit cuts {share:.0%} of the texts", alt + f" {cut.says}."
    ax.set(xlabel="length", ylabel="texts")
    ax.set_title(title)
    return fig, alt


def _surprise(report):
    scores = numpy.sort(report.seen["outliers"].numbers["scores"])[::-1]
    fig, ax = figure()
    ax.plot(numpy.arange(1, len(scores) + 1), scores, color=COLOURS["blue"], marker=".", linestyle="none")
    ax.axhline(STRANGE, color=COLOURS["vermilion"], linestyle="--")
    ax.annotate("alarm", (len(scores), STRANGE), xytext=(0, 4), textcoords="offset points", ha="right", color=COLOURS["vermilion"])
    above = int((scores > STRANGE).sum())
    ax.set(xscale="log", xlabel="texts, the strangest first", ylabel="surprise (robust deviations)")
    ax.set_title(f"{above} texts stand out by their words" if above else "No text stands out by its words")
    return fig, (f"How surprising each text is to a model of the others, in falling order: from {scores[0]:.1f} to "
                 f"{scores[-1]:.1f} robust deviations; {above} above {STRANGE}.")


def _leak(report):
    numbers = report.seen["leak"].numbers
    rows = [("best of shuffled labels", numbers["shuffled"], "muted"), (repr(numbers["feature"]), numbers["information"], "blue")]
    fig, ax = figure(height=1.6)
    for y, (name, value, colour) in enumerate(rows):
        ax.barh(y, value, color=COLOURS[colour], height=0.6)
        ax.annotate(f"{value:.3f}", (value, y), xytext=(4, 0), textcoords="offset points", va="center")
    ax.set_yticks(range(2), [name for name, _, _ in rows])
    ax.set(xlim=(0, max(value for _, value, _ in rows) * 1.25 + 1e-6), xlabel="bits about the label")
    ax.grid(axis="y", visible=False)
    ax.set_title("What a single feature tells")
    return fig, (f"The feature that says most about the label, {numbers['feature']!r}, tells {numbers['information']:.3f} "
                 f"bits; with shuffled labels the best feature tells {numbers['shuffled']:.3f}.")


def _truncation(report):
    numbers = report.seen["truncation"].numbers
    costs = {keep: numbers.get(f"cost of keeping the {keep}") for keep in ("start", "end", "both")}
    if None in costs.values():
        raise ValueError("the cost of truncation was not measured: too few texts are cut, or there are no labels")
    fig, ax = figure(height=2)
    for y, (keep, (value, low, high)) in enumerate(costs.items()):
        ax.plot([100 * low, 100 * high], [y, y], color=COLOURS["blue"])
        ax.plot(100 * value, y, color=COLOURS["blue"], marker="o")
    ax.axvline(0, color=COLOURS["muted"], linewidth=1)
    ax.set_yticks(range(3), ["keep the start", "keep the end", "keep both ends"])
    ax.set(xlabel="points of accuracy lost by cutting", ylim=(2.5, -0.5))
    best = min(costs, key=lambda keep: costs[keep][0])
    ax.set_title(f"Keeping the {best if best != 'both' else 'two ends'} costs least")
    return fig, "Accuracy lost by cutting: " + "; ".join(
        f"keeping the {keep} {100 * v:.1f} points, 95 % interval {100 * lo:.1f} to {100 * hi:.1f}" for keep, (v, lo, hi) in costs.items()) + "."


#: name -> (the check it needs, what draws it).
FIGURES = {"overview": (None, _overview), "balance": ("balance", _balance), "lengths": ("lengths", _lengths),
           "surprise": ("outliers", _surprise), "leak": ("leak", _leak), "truncation": ("truncation", _truncation)}
