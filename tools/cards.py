"""Compute the pictures of the landing page: `book/cards/*.svg`.

    python tools/cards.py            # all of them; about a minute on one thread
    python tools/cards.py 07 hero    # those whose name begins so

Each picture is the result of the few lines that draw it: a formula, a seeded simulation, a
small model trained on the spot or published figures. None of them is a measurement of a
machine. Every file holds its colours for light and dark; an `<img>` follows the page's theme.
"""

import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

FOLDER = Path(__file__).resolve().parent.parent / "book" / "cards"
WIDTH, HEIGHT = 480, 270
COLOURS = {  # class: light, dark; each at least 4.5 : 1 on its paper, except the pale ones
    "paper": ("#fffdf9", "#1c1f23"), "ink": ("#23211d", "#dcd8cf"), "muted": ("#645e54", "#a19b8f"),
    "pale": ("#e6dfd1", "#353a41"), "accent": ("#a8430a", "#f0a873"), "blue": ("#0b5c8a", "#7cc0ea"),
    "green": ("#006b4f", "#4fc3a1"),
}


class Picture:
    """An SVG written by hand: shapes take a colour's name and SVG's own attributes."""

    def __init__(self, width=WIDTH, height=HEIGHT, style=""):
        rules = ["".join(f".{n}{{fill:{c[i]}}}.{n}-line{{stroke:{c[i]};fill:none}}" for n, c in COLOURS.items()) for i in (0, 1)]
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
            f"<style>text{{font:14px Inter,'Segoe UI','Helvetica Neue',Arial,'DejaVu Sans',sans-serif}}{rules[0]}"
            f"@media (prefers-color-scheme:dark){{{rules[1]}}}{style}</style>",
            f'<rect class="paper" width="{width}" height="{height}"/>']

    def add(self, tag, colour, text="", **attributes):
        attributes = {"class": colour, **{k.rstrip("_").replace("_", "-"): v for k, v in attributes.items()}}
        written = " ".join(f'{k}="{v:.4g}"' if isinstance(v, float) else f'{k}="{v}"' for k, v in attributes.items())
        self.parts.append(f"<{tag} {written}>{text}</{tag}>" if text else f"<{tag} {written}/>")

    def rect(self, x, y, w, h, colour, **more):
        self.add("rect", colour, x=float(x), y=float(y), width=float(w), height=float(h), **more)

    def squares(self, corners, side, colour, **more):
        """Many equal squares as one path."""
        d = "".join(f"M{x:.4g} {y:.4g}h{side:.3g}v{side:.3g}h-{side:.3g}z" for x, y in corners)
        self.add("path", colour, d=d, **more)

    def line(self, xs, ys, colour, width=2.5, **more):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys))
        self.add("polyline", f"{colour}-line", points=points, stroke_width=width, stroke_linejoin="round", **more)

    def dot(self, x, y, r, colour, **more):
        self.add("circle", colour, cx=float(x), cy=float(y), r=float(r), **more)

    def text(self, x, y, text, colour="muted", anchor="start", **more):
        self.add("text", colour, str(text), x=float(x), y=float(y), text_anchor=anchor, **more)

    def save(self, name):
        path = FOLDER / f"{name}.svg"
        path.write_text("\n".join(self.parts) + "\n</svg>\n")
        print(f"{path.name}: {path.stat().st_size / 1000:.1f} kB")


def scale(low, high, start, end):
    """The linear map that takes [low, high] to [start, end]."""
    return lambda value: start + (np.asarray(value, dtype=float) - low) / (high - low) * (end - start)


# ---------------------------------------------------------------- the ten chapters and the first lesson

def start():
    """Three runs of one small training loop: two with the same seed, one with another."""
    def losses(seed):
        torch.manual_seed(seed)
        x = torch.randn(64, 16)
        y = x @ torch.randn(16, 1) + 0.5 * torch.randn(64, 1)
        model = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Dropout(0.3), nn.Linear(32, 1))
        optimizer = torch.optim.SGD(model.parameters(), 0.03)
        history = []
        for _ in range(70):
            loss = (model(x) - y).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.append(loss.item())
        return np.array(history)
    first, again, other = losses(0), losses(0), losses(1)
    assert (first == again).all() and (first != other).any()
    p = Picture()
    x = scale(0, 69, 26, 385)(np.arange(70))
    y = scale(0, max(first.max(), other.max()), 236, 24)
    p.line([26, 385], [236, 236], "pale", 1.5)
    p.line(x, y(other), "muted", 2)
    p.line(x, y(first), "blue", 7, opacity=0.35)
    p.line(x, y(again), "accent", 2.2)
    ends = sorted([(float(y(other[-1])), "seed 1", "muted"), (float(y(first[-1])), "seed 0, twice", "accent")])
    gap = max(0, 20 - (ends[1][0] - ends[0][0])) / 2
    p.text(392, ends[0][0] - gap + 5, ends[0][1], ends[0][2])
    p.text(392, ends[1][0] + gap + 5, ends[1][1], ends[1][2])
    p.text(26, 257, "steps of training")
    p.save("00_start")


def mt_history():
    """The paradigms and their years, as the post of chapter 1 divides them."""
    eras = [("dictionary machines", 1933, 1945), ("early rules", 1949, 1967), ("knowledge-based rules", 1967, 1984),
            ("examples", 1984, 1993), ("statistics", 1993, 2013), ("neural networks", 2013, 2020)]
    p = Picture()
    x = scale(1930, 2022, 24, 456)
    for year in range(1940, 2021, 20):
        p.line([x(year)] * 2, [22, 240], "pale", 1)
        p.text(x(year), 258, year, anchor="middle")
    for i, (name, begin, end) in enumerate(eras):
        y = 208 - i * 35
        last = i == len(eras) - 1
        p.rect(x(begin), y, x(end) - x(begin), 22, "accent" if last else "blue", rx=2, opacity=1.0 if last else 0.45 + 0.11 * i)
        right = begin < 1970
        p.text(x(end) + 7 if right else x(begin) - 7, y + 16, name, "ink", "start" if right else "end")
    p.save("01_mt_history")


def masks(n=9, prefix=4):
    """Who may look at whom: all, the past, a prefix in both directions."""
    row, column = np.mgrid[:n, :n]
    p = Picture()
    kinds = [("bidirectional", np.ones((n, n), bool)), ("causal", column <= row), ("prefix", (column <= row) | (column < prefix))]
    cell, gap = 14, 1.6
    for k, (name, mask) in enumerate(kinds):
        left = 24 + k * 149
        accent = (row == column) | ((name == "prefix") & mask & (column > row))
        for colour, chosen in (("pale", ~mask), ("blue", mask & ~accent), ("accent", accent)):
            p.squares([(left + j * cell, 62 + i * cell) for i, j in np.argwhere(chosen)], cell - gap, colour)
        p.text(left + n * cell / 2, 216, name, "ink", "middle")
    p.save("02_seq2seq")


def temperature(words=12):
    """A Zipf-shaped next-word distribution, p proportional to 1 / rank, at three temperatures."""
    logits = -np.log(np.arange(1, words + 1))
    p = Picture()
    for k, t in enumerate((0.5, 1.0, 2.0)):
        weights = np.exp(logits / t)
        share = weights / weights.sum()
        left = 24 + k * 149
        p.line([left, left + 134], [222, 222], "pale", 1.5)
        for i, s in enumerate(share):
            p.rect(left + i * 11.2, 222 - 260 * s, 8.6, 260 * s, "accent" if i == 0 else "blue", rx=1)
        p.text(left + 67, 246, f"T = {t:g}", "ink", "middle")
    p.save("03_writing")


def softmax_twice(classes=10):
    """A toy classifier trained with cross-entropy, and with a softmax in front of it: the second
    loss can fall no further than log(e + C - 1) - 1, however right the model is."""
    floor = math.log(math.e + classes - 1) - 1
    curves = {}
    for bug in (False, True):
        torch.manual_seed(0)
        centres = 3 * torch.randn(classes, 20)
        model = nn.Linear(20, classes)
        optimizer = torch.optim.Adam(model.parameters(), 0.03)
        curves[bug] = []
        for _ in range(240):
            y = torch.randint(classes, (128,))
            logits = model(centres[y] + torch.randn(128, 20))
            loss = cross_entropy(logits.softmax(-1) if bug else logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            curves[bug].append(loss.item())
    assert min(curves[True]) >= floor
    p = Picture()
    x = scale(0, 239, 40, 380)(np.arange(240))
    y = scale(0, 2.6, 228, 22)
    p.line([40, 380], [y(0)] * 2, "pale", 1.5)
    p.line([40, 380], [y(floor)] * 2, "muted", 1.5, stroke_dasharray="5 5")
    p.line(x, np.minimum(y(np.minimum(curves[False], 2.6)), 228), "blue")
    p.line(x, y(np.minimum(curves[True], 2.6)), "accent")
    p.text(388, y(curves[False][-1]) - 3, "correct", "blue")
    p.text(388, y(floor) - 8, "softmax twice", "accent")
    p.text(388, y(floor) + 19, "never below", "muted")
    p.text(388, y(floor) + 37, f"{floor:.2f}", "muted")
    p.text(33, y(0) + 5, "0", anchor="end")
    p.text(33, y(math.log(classes)) + 5, f"{math.log(classes):.1f}", anchor="end")
    p.text(40, 252, "loss against steps, 10 classes")
    p.save("04_debugging")


def gelu():
    """The two GELUs: exact, and the tanh formula that GPT-2's TensorFlow code uses."""
    x = np.linspace(-5, 5, 401)
    exact = np.array([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])
    tanh = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))
    difference = tanh - exact
    worst = np.abs(difference).max()
    p = Picture()
    px, py = scale(-5, 5, 28, 452), scale(-worst * 1.15, worst * 1.15, 218, 34)
    p.line([28, 452], [py(0)] * 2, "pale", 1.5)
    p.line(px(x), py(difference), "accent")
    i = int(np.abs(difference).argmax())
    p.dot(px(x[i]), py(difference[i]), 5, "accent")
    where = "start" if x[i] < 2 else "end"
    p.text(px(x[i]) + (12 if where == "start" else -12), py(difference[i]) + (3 if difference[i] > 0 else 6),
           f"largest difference {worst:.1e}".replace("e-04", " × 10⁻⁴"), "ink", where)
    for v in (-4, -2, 0, 2, 4):
        p.text(px(v), 240, str(v).replace("-", "−"), anchor="middle")
    p.text(28, 260, "GELU by tanh minus GELU by erf")
    p.save("05_porting")


def timings(n=400):
    """Simulated timings: most alike, a few very late, so that the mean is nobody's time."""
    rng = np.random.default_rng(0)
    sample = 10 + rng.lognormal(0.2, 1.05, n)
    edges = np.arange(10, 24.01, 0.35)
    counts, _ = np.histogram(sample, edges)
    p = Picture()
    x, y = scale(10, 24, 26, 454), scale(0, counts.max(), 222, 34)
    p.line([26, 454], [222, 222], "pale", 1.5)
    for begin, end, count in zip(edges, edges[1:], counts):
        if count:
            p.rect(x(begin), y(count), x(end) - x(begin) - 1.5, 222 - y(count), "blue", opacity=0.75)
    for value, name, colour, top in ((np.median(sample), "median", "accent", 44), (sample.mean(), "mean", "ink", 76)):
        p.line([x(value)] * 2, [top - 4, 222], colour, 2)
        p.text(x(value) + 8, top + 8, f"{name} {value:.1f}", colour)
    p.text(26, 250, f"{n} simulated timings, milliseconds")
    p.save("06_benchmarking")


def roofline():
    """What three GPUs can do at most for each byte they read, from published figures."""
    gpus = [("V100", 125, 0.90, "muted"), ("A100", 312, 1.555, "blue"), ("H100", 989, 3.35, "accent")]
    p = Picture()
    x, y = scale(0, 4, 44, 410), scale(0, 3.25, 226, 26)
    for k in range(5):
        p.text(x(k), 243, ["1", "10", "100", "1,000", "10,000"][k], anchor="middle")
    for k in range(4):
        p.line([44, 410], [y(k)] * 2, "pale", 1)
        p.text(38, y(k) + 5, ["1", "10", "100", "1,000"][k], anchor="end")
    for name, peak, bandwidth, colour in gpus:
        ridge = peak / bandwidth
        logs = np.log10([1, ridge, 1e4])
        p.line(x(logs), y(np.log10([bandwidth, peak, peak])), colour)
        p.dot(x(logs[1]), y(math.log10(peak)), 4.5, colour)
        p.text(416, y(math.log10(peak)) + 5, name, colour)
    p.text(44, 262, "TFLOP/s at most, against FLOP per byte")
    p.save("07_gpu_architecture")


def block_sparse(n=32, block=4, density=0.25):
    """A matrix of which a quarter of the blocks is kept: dense inside, absent outside."""
    rng = np.random.default_rng(4)
    blocks = n // block
    kept = rng.permutation(blocks ** 2) < density * blocks ** 2
    kept = kept.reshape(blocks, blocks)
    values = rng.standard_normal((n, n))
    p = Picture()
    cell, left, top = 7.2, 26, 20
    inside = np.kron(kept, np.ones((block, block), bool))
    shade = np.ceil(np.abs(values).clip(0, 2) * 2) / 4                      # four strengths are enough to see
    for strength in np.unique(shade[inside]):
        for colour, sign in (("accent", values > 0), ("blue", values <= 0)):
            where = np.argwhere(inside & sign & (shade == strength))
            p.squares([(left + j * cell, top + i * cell) for i, j in where], cell - 0.6, colour, opacity=float(strength))
    p.add("path", "pale-line", stroke_width=1, d="".join(
        f"M{left + k * block * cell:.1f} {top}v{n * cell:.1f}M{left} {top + k * block * cell:.1f}h{n * cell:.1f}" for k in range(blocks + 1)))
    x = left + n * cell + 28
    p.text(x, 74, f"{kept.sum()} of {kept.size} blocks", "ink")
    p.text(x, 96, "are stored and multiplied")
    p.text(x, 142, f"{100 * (1 - kept.mean()):.0f} % sparse", "ink")
    p.text(x, 164, "dense inside a block")
    p.save("08_sparsity")


def soft_targets():
    """What a teacher says about six words as its temperature rises."""
    logits = np.array([5.0, 3.4, 2.6, 1.2, 0.2, -1.0])
    temperatures = np.linspace(0.6, 8, 80)
    weights = np.exp(logits[:, None] / temperatures)
    share = weights / weights.sum(0)
    p = Picture()
    x, y = scale(0.6, 8, 44, 440), scale(0, 1, 222, 26)
    p.line([44, 440], [222, 222], "pale", 1.5)
    p.line([44, 440], [y(1 / 6)] * 2, "muted", 1.2, stroke_dasharray="5 5")
    for i, line in enumerate(share):
        p.line(x(temperatures), y(line), "accent" if i == 0 else "blue", 2.6 if i == 0 else 2, opacity=round(1 - 0.12 * i, 2))
    for t in (1, 2, 4, 8):
        p.text(x(t), 242, t, anchor="middle")
    p.text(38, y(1) + 9, "1", anchor="end")
    p.text(38, y(0) + 3, "0", anchor="end")
    p.text(x(1.6), y(0.80), "its answer", "accent")
    p.text(440, y(1 / 6) - 26, "what it knows besides", "blue", "end")
    p.text(44, 262, "probability of six words, against temperature")
    p.save("09_distillation")


def queue():
    """Waiting in line at one server: the formula 1 / (1 - load), and a simulated day at some loads."""
    rng = np.random.default_rng(0)

    def simulated(load, customers=60_000):
        arrivals = rng.exponential(1 / load, customers)
        service = rng.exponential(1, customers)
        wait = total = 0.0
        for between, own in zip(arrivals, service):
            wait = max(0.0, wait - between)          # what is left of the queue when the next one comes
            wait += own
            total += wait
        return total / customers

    p = Picture()
    x, y = scale(0, 1, 44, 440), scale(0, 12, 222, 24)
    loads = np.linspace(0, 1 - 1 / 12, 80)
    for times in (1, 5, 10):
        p.line([44, 440], [y(times)] * 2, "pale", 1)
        p.text(38, y(times) + 5, f"{times}×", anchor="end")
    p.line(x(loads), y(1 / (1 - loads)), "accent")
    for load in (0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9):
        p.dot(x(load), y(simulated(load)), 4.5, "blue")
    for load in (0, 0.5, 1):
        p.text(x(load), 242, f"{load:.0%}".replace("%", " %"), anchor="middle")
    p.text(150, 92, "formula", "accent")
    p.text(150, 112, "simulated", "blue")
    p.text(44, 262, "time in the system against load of one server")
    p.save("10_serving")


# ---------------------------------------------------------------- the picture beside the title

SENTENCE = "every post is taken apart rebuilt from scratch and measured once more".split()


def hero(steps=2400, vocabulary=26, length=25, width=64, heads=2):
    """One attention head of a two-layer model, trained here on nonsense that repeats with a random
    period. Asked to continue, it learns to look up what followed the same word the last time
    (an induction head: Olsson et al. 2022)."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    future = torch.full((length, length), -math.inf).triu(1)

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)

        def forward(self, x):
            q, k, v = self.qkv(x).unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)   # [batch, heads, length, width]
            n = x.shape[1]
            weights = (q @ k.mT / q.shape[-1] ** 0.5 + future[:n, :n]).softmax(-1)
            return self.out((weights @ v).transpose(1, 2).flatten(2)), weights

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
            self.first, self.second, self.head = Attention(), Attention(), nn.Linear(width, vocabulary)

        def forward(self, tokens):
            x = self.token(tokens) + self.position(torch.arange(tokens.shape[1]))
            x = x + self.first(x)[0]
            seen, weights = self.second(x)
            return self.head(x + seen), weights

    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    place = torch.arange(length)
    for step in range(steps):
        period = torch.randint(4, 15, (64, 1))
        tokens = torch.rand(64, vocabulary).argsort(1).gather(1, place % period)
        repeated = (place >= period)[:, 1:]
        loss = cross_entropy(model(tokens[:, :-1])[0][repeated], tokens[:, 1:][repeated])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    period = len(SENTENCE)
    tokens = torch.randperm(vocabulary)[:period].repeat(2)[None]
    with torch.no_grad():
        logits, weights = model(tokens)
    rows = torch.arange(period, 2 * period)
    on_stripe = weights[0, :, rows, rows - period + 1].mean(1)
    right = (logits[0, period - 1:-1].argmax(-1) == tokens[0, period:]).float().mean()
    head = int(on_stripe.argmax())
    print(f"hero: loss {loss.item():.3f} after {steps} steps; {right:.0%} of the second reading predicted; "
          f"{on_stripe[head]:.0%} of this head's weight on what came next last time")
    draw_head(weights[0, head].numpy(), SENTENCE * 2)


def draw_head(weights, words):
    n, cell, left, top = len(words), 17.5, 92, 12
    p = Picture(left + n * 17.5 + 12, top + n * 17.5 + 14, style="text{font-size:12px}@media (max-width:400px){text{display:none}}")
    p.parts[1] = ""                                                       # on the page itself, not on a card
    side = cell - 1.8
    p.squares([(left + j * cell, top + i * cell) for i in range(n) for j in range(i + 1)], side, "pale", opacity=0.55)
    for i in range(n):
        for j in range(i + 1):
            if weights[i, j] >= 0.02:
                p.rect(left + j * cell, top + i * cell, side, side, "accent", opacity=round(float(weights[i, j]), 2))
        p.text(left - 8, top + i * cell + 12.5, words[i], "ink" if i >= n // 2 else "muted", "end")
    p.save("hero")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    drawings = {"00": start, "01": mt_history, "02": masks, "03": temperature, "04": softmax_twice, "05": gelu,
                "06": timings, "07": roofline, "08": block_sparse, "09": soft_targets, "10": queue, "hero": hero}
    for name in sys.argv[1:] or drawings:
        drawings[name]()
