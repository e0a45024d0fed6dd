"""An audit of a data set before any model: the six questions of the post's first section, answered with numbers.

    report = audit(reviews.train, test=reviews.test, max_tokens=64)
    print(report)            # the answers, and what raises an alarm
    report.table()           # every check with its numbers
    report.plot("lengths")   # a figure

Chapter 4. The checks stand in `audit_texts` and `audit_labels`, the figures in `audit_figures`.
"""
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from course_lib.diagnostics import audit_labels, audit_texts
from course_lib.diagnostics.audit_texts import Seen
from course_lib.diagnostics.findings import Report

#: The post's questions, and the checks that answer each.
QUESTIONS = {
    "Are the labels balanced?": ("balance",),
    "Are there gold labels that you do not agree with?": ("doubtful labels",),
    "How were the data obtained, and what are possible sources of noise?": ("contradictions", "overlap", "order"),
    "Are there preprocessing steps that seem natural?": ("damage", "markup", "tokens", "truncation"),
    "How diverse are the examples?": ("duplicates", "vocabulary", "lengths", "outliers"),
    "What rule-based algorithm would perform decently?": ("rule", "leak"),
}
TEXT_COLUMNS = ("text", "sentence", "review", "content", "document")
LABEL_COLUMNS = ("label", "labels")
MOST_CLASSES = 50


@dataclass(frozen=True)
class Examples:
    """Texts, with labels or without. second: the other text of each pair; None where there are no pairs.

    names: of the classes, where labels are numbers of classes."""
    texts: list[str]
    second: list[str] | None = None
    labels: list | None = None
    names: list[str] | None = None

    @property
    def task(self) -> str:
        """"classification", "pairs" or "language-model"."""
        return "classification" if self.labels is not None else "pairs" if self.second is not None else "language-model"

    @property
    def whole(self) -> list[str]:
        """Each example as one text."""
        return [f"{a} | {b}" for a, b in zip(self.texts, self.second)] if self.second is not None else self.texts


class AuditReport(Report):
    """The findings, as any `Report`, and what every check saw.

    seen: {check: Seen}, with the numbers and the rows to read. examples: what was audited.
    """

    def __init__(self, seen: Mapping[str, Seen], notes: Sequence[str], examples: Examples):
        self.seen, self.examples = dict(seen), examples
        merged = {}    # one finding a cause, but nothing hidden: two kinds of damage are both told
        for finding in sorted((f for one in seen.values() for f in one.findings), key=lambda f: -f.confidence):
            first = merged.get(finding.cause)
            merged[finding.cause] = finding if first is None else replace(
                first, check=f"{first.check}, {finding.check}", seen=f"{first.seen}; {finding.seen}",
                look=f"{first.look}; {finding.look}")
        super().__init__(merged.values(), notes)

    @property
    def checks(self) -> list[str]:
        """The checks that raise an alarm, finer than `causes`."""
        return [finding.check for one in self.seen.values() for finding in one.findings]

    def answers(self) -> dict[str, list[str]]:
        """For each of the post's questions what was seen, a sentence a check."""
        return {question: [self.seen[check].says for check in checks if check in self.seen]
                for question, checks in QUESTIONS.items()}

    def text(self) -> str:
        """The questions with their answers, then the findings and the notes."""
        lines = [f"{len(self.examples.texts)} examples, {self.examples.task}"]
        for question, answers in self.answers().items():
            lines += ["", question]
            lines += [textwrap.fill(f"- {answer}", 100, subsequent_indent="  ") for answer in answers] or ["- (not asked of such data)"]
        return "\n".join(lines) + "\n\n" + super().text()

    def table(self) -> list[dict]:
        """One dict a check: check, seen, alarm (its cause or ""), confidence, rows (to read by eye)."""
        return [{"check": one.check, "seen": one.says, "alarm": ", ".join(dict.fromkeys(f.cause for f in one.findings)),
                 "confidence": max((f.confidence for f in one.findings), default=0.0), "rows": one.rows}
                for one in self.seen.values()]

    def plot(self, which: str = "overview"):
        """A figure of course_lib.plotting and its alternative text; see `audit_figures.FIGURES` for the names."""
        from course_lib.diagnostics import audit_figures
        return audit_figures.draw(self, which)

    def show(self, which: str = "overview", name: str | None = None) -> None:
        """Display the figure `which` below the cell."""
        from course_lib import plotting
        fig, alt = self.plot(which)
        plotting.show(fig, alt, name)

    def __repr__(self) -> str:
        return f"<AuditReport: {', '.join(self.causes) or 'nothing found'}>"

    def _repr_html_(self) -> str:
        import html
        rows = "".join(f'<tr><td style="text-align: left">{html.escape(row["check"])}</td>'
                       f'<td style="text-align: left">{html.escape(row["seen"])}</td>'
                       f'<td style="text-align: left">{html.escape(row["alarm"])}</td></tr>' for row in self.table())
        head = "".join(f'<th scope="col" style="text-align: left">{name}</th>' for name in ("check", "seen", "alarm"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def audit(dataset, *, test=None, text: str | tuple[str, str] | None = None, label: str | bool | None = None,
          tokenizer=None, max_tokens: int | None = None, rule: Callable[[str], object] | None = None,
          seed: int = 0) -> AuditReport:
    """Look at a data set before any model does.

    dataset: a datasets.Dataset, a list of dicts, a dict of lists, a pandas.DataFrame, or a list of texts; texts
    with labels (classification), pairs of texts, with labels or without, or texts alone (language model). test:
    the test set, in the same form. text: the column of the texts, or the two of a pair; default, "text" or the
    like, else the only one or two columns of texts. label: the column of the labels; default, "label" where
    there is one; False for none. tokenizer: of course_lib, of tokenizers or transformers, or a function from a
    text to ids. max_tokens: the limit that texts will be cut to, in tokens (without a tokenizer, words and
    marks), special tokens not counted. rule: a rule of yours, from a text to a label. seed: of folds and shuffles.

    Takes about 5 seconds for 2,000 short texts and 40 for 10,000. Raises ValueError for an empty data set, for
    columns that are not there or not clear, TypeError for data that are not texts.
    """
    examples = read_examples(dataset, text, label)
    held_out = read_examples(test, text, label) if test is not None else None
    if max_tokens is not None and max_tokens < 1:
        raise ValueError(f"max_tokens={max_tokens}: at least 1 is needed")
    texts, labels, notes, seen = examples.whole, examples.labels, [], {}
    contradicting: set[int] = set()

    def add(one: Seen) -> None:
        seen[one.check] = one

    if labels is not None:
        add(audit_labels.balance(labels, examples.names))
    damaged = audit_texts.damage(texts)
    add(damaged)
    broken = {i for i, one in enumerate(texts) if not one.strip() or audit_texts.misread(one)}
    # What checks of the words may rely on: rows with a text and a label.
    use = [i for i, one in enumerate(texts) if one.strip()
           and (labels is None or not audit_labels.missing(labels[i]))]
    usable = [texts[i] for i in use]
    if not usable:
        notes.append("no text is left to look at: all are empty or without a label")
        return AuditReport(seen, notes, examples)
    if labels is not None:
        found, contradicting = audit_labels.contradictions(texts, labels)
        add(found)
        add(audit_labels.order(labels))
    similar = audit_texts.similar_pairs(texts + (held_out.whole if held_out else []))
    if held_out is not None:
        add(audit_texts.overlap(texts, held_out.whole, similar))
    add(audit_texts.markup(texts))
    add(audit_texts.duplicates(texts, similar, contradicting))
    add(audit_texts.vocabulary(texts, held_out.whole if held_out else None))
    add(audit_texts.lengths(usable, tokenizer))
    add(audit_texts.outliers(texts, broken))
    if tokenizer is not None:
        add(audit_texts.tokens(usable, tokenizer))
    elif max_tokens is None:
        notes.append("tokenizer= and max_tokens= were not given: neither tokens nor truncation were looked at")
    probabilities, of_use = None, labels and [labels[i] for i in use]
    if labels is not None and len(set(of_use)) > 1:
        add(_in_rows(audit_labels.leak(usable, of_use, seed), use))
        add(audit_labels.one_word_rule(usable, of_use, rule, seed))
        try:
            probabilities, classes = audit_labels.cross_validated(usable, of_use, seed)
        except (ImportError, ValueError) as error:
            notes.append(f"doubtful labels and the cost of truncation were not looked at: {error}")
        else:
            add(_in_rows(audit_labels.doubtful(usable, of_use, probabilities, classes), use))
    elif labels is None:
        notes.append("there are no labels: balance, contradictions, doubtful labels, leaks and rules were not looked at")
    if max_tokens is not None:
        add(audit_labels.truncation(usable, of_use if probabilities is not None else None, max_tokens, tokenizer, seed,
                                    probabilities))
    return AuditReport(seen, notes, examples)


def _in_rows(one: Seen, use: list[int]) -> Seen:
    """The same with numbers of rows of the data set, where the check saw a part of it."""
    one.rows = [use[i] for i in one.rows]
    return one


# Reading what is given

def read_examples(data, text: str | tuple[str, str] | None = None, label: str | bool | None = None) -> Examples:
    """The examples of a data set; arguments and errors as of `audit`."""
    columns, features = _columns(data)
    if not columns or not len(next(iter(columns.values()))):
        raise ValueError("the data set is empty: there is nothing to look at")
    if text is None:
        text = _guess_text(columns)
    names = (text,) if isinstance(text, str) else tuple(text)
    if len(names) not in (1, 2):
        raise ValueError(f"text={text!r}: give one column, or the two of a pair")
    wanted = [*names, *([label] if isinstance(label, str) else [])]
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise ValueError(f"there is no column {', '.join(missing)}; there are: {', '.join(columns)}")
    texts = [_texts(columns[name], name) for name in names]
    if label is None:
        label = next((name for name in LABEL_COLUMNS if name in columns and name not in names), False)
    labels = class_names = None
    if label is not False:
        labels = [one.item() if hasattr(one, "item") else one for one in columns[label]]
        odd = next((one for one in labels if isinstance(one, float) and one == one and one != int(one)
                    or isinstance(one, (list, dict))), None)
        if odd is not None or len(set(labels)) > max(MOST_CLASSES, len(labels) // 2):
            raise ValueError(f"the column {label} holds no classes, such as {odd if odd is not None else labels[0]!r}: "
                             "audit knows classification, pairs and texts alone; give label=False to look at the texts")
        class_names = getattr(features.get(label), "names", None)
    return Examples(texts[0], texts[1] if len(texts) > 1 else None, labels, class_names)


def _columns(data) -> tuple[dict[str, list], dict]:
    if hasattr(data, "column_names") and isinstance(data.column_names, dict):
        raise ValueError(f"this is a set of data sets; give one of them, {', '.join(data.column_names)}, and test=")
    if hasattr(data, "column_names") and hasattr(data, "features"):     # datasets.Dataset
        return {name: list(data[name]) for name in data.column_names}, dict(data.features)
    if hasattr(data, "to_dict") and hasattr(data, "columns"):           # pandas.DataFrame
        return data.to_dict("list"), {}
    if isinstance(data, Mapping):
        columns = {name: list(values) for name, values in data.items()}
        if len({len(values) for values in columns.values()}) > 1:
            raise ValueError("the columns differ in length: " + ", ".join(f"{n} {len(v)}" for n, v in columns.items()))
        return columns, {}
    if isinstance(data, (list, tuple)):
        if all(isinstance(one, str) for one in data):
            return {"text": list(data)}, {}
        if all(isinstance(one, Mapping) for one in data):
            return {name: [row.get(name) for row in data] for name in data[0]}, {}
        if all(isinstance(one, (list, tuple)) and len(one) == 2 and isinstance(one[0], str) for one in data):
            second = "label" if not all(isinstance(row[1], str) for row in data) or \
                len({row[1] for row in data}) <= min(MOST_CLASSES, len(data) // 10 + 1) else "second"
            return {"text": [row[0] for row in data], second: [row[1] for row in data]}, {}
    raise TypeError(f"audit reads texts: a datasets.Dataset, a list of dicts, of texts or of (text, label), a dict of lists "
                    f"or a DataFrame, not {type(data).__name__}. Ids have to be decoded first")


def _guess_text(columns):
    for name in TEXT_COLUMNS:
        if name in columns:
            both = [other for other in columns if other in ("second", "target")]
            return (name, both[0]) if both else name
    found = [name for name, values in columns.items() if name not in LABEL_COLUMNS
             and all(isinstance(one, str) or one is None for one in values) and any(values)]
    if len(found) == 1:
        return found[0]
    if len(found) == 2:
        return tuple(found)
    raise ValueError(f"which column holds the texts? There are: {', '.join(columns)}. Give text=, one or the two of a pair")


def _texts(values, name):
    odd = next((one for one in values if not (isinstance(one, str) or one is None or one != one)), None)
    if odd is not None:
        raise TypeError(f"the column {name} holds {type(odd).__name__}, not texts; give text=, the column of the texts "
                        "(ids have to be decoded first)")
    return [one if isinstance(one, str) else "" for one in values]
