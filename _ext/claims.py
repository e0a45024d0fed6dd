"""`{claims} NN_name` (a chapter's closing table), `{ledger}` (all of them) and `{count}`claims``."""

from collections import Counter

import ledger
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective, SphinxRole

SYMBOLS = {">=": "≥", "<=": "≤", "!=": "≠", "==": "=", "value": "the value", "low": "the interval’s low end",
           "high": "the interval’s high end"}  # fmt: skip
TITLES = {
    "start": "Start here",
    "mt_history": "Machine translation, 1933 to 2020",
    "seq2seq": "Encoder-decoders",
    "writing": "Writing with a transformer",
    "debugging": "Debugging neural networks",
    "porting": "From TensorFlow to PyTorch",
    "benchmarking": "Benchmarking",
    "gpu_architecture": "GPU architecture",
    "sparsity": "Sparsity",
    "distillation": "Distillation",
    "serving": "Serving",
}


# What a figure counts, where that is no unit to print: the text around it says it.
COUNTS = ("ratio", "share", "pairs", "largest difference of logits")


class Claims(SphinxDirective):
    """The table of one chapter: claim, how it is decided, what we measured, verdict."""

    required_arguments = 1

    @ledger.in_directive
    def run(self):
        path = ledger.ROOT / "book" / "claims" / f"{self.arguments[0]}.yaml"
        self.env.note_dependency(str(path))
        return [self.table(ledger.load(path))]

    def table(self, chapter):
        group = nodes.tgroup(cols=4)
        group += [nodes.colspec(colwidth=width) for width in (38, 30, 16, 16)]
        head = nodes.thead()
        head += self.row(["Claim", "Decided by", "Measured here", "Verdict"])
        body = nodes.tbody()
        for claim in chapter["claims"]:
            row = self.row([self.claim_cell(claim), rule_text(claim), measured_text(claim), ""])
            verdict = ledger.decide(claim)
            row["ids"].append(f"claim-{chapter['chapter']}-{claim['id']}".replace("_", "-"))
            row[3] += verdict_node(verdict, claim["kind"])
            if claim.get("why"):
                cited = " ".join(f"{{cite}}`{key}`" for key in claim["sources"])
                self.parse(f"{claim['why']} {cited}", row[3])
            body += row
        group += [head, body]
        table = nodes.table("", group, classes=["claims"])
        return nodes.container("", table, classes=["claims-scroll"])

    def claim_cell(self, claim):
        where = ", ".join(str(part) for part in (claim["year"], claim["section"], claim["machine"]) if part)
        return f"{claim['claim'].strip()}\n\n{{small}}`{where}`"

    def row(self, cells):
        row = nodes.row()
        for text in cells:
            entry = nodes.entry()
            self.parse(text, entry)
            row += entry
        return row

    def parse(self, text, node):
        self.state.nested_parse(StringList(text.splitlines(), source="claims"), 0, node)


class Ledger(Claims):
    """Every chapter's table under its own heading, and the count of verdicts above them."""

    required_arguments = 0

    @ledger.in_directive
    def run(self):
        output = []
        for chapter in ledger.load_all():
            self.env.note_dependency(str(ledger.ROOT / "book" / "claims" / f"{chapter['chapter']}.yaml"))
            section = nodes.section(ids=[f"claims-{chapter['chapter']}".replace("_", "-")])
            number, _, name = chapter["chapter"].partition("_")
            section += nodes.title("", f"{int(number)}. {TITLES[name]}")
            self.parse(f"Claims of {{cite:t}}`{chapter['post']}`.", section)
            counts = Counter(ledger.decide(claim) for claim in chapter["claims"])
            summary = nodes.bullet_list(classes=["ledger-summary"])
            for verdict in ledger.VERDICTS:
                if counts[verdict]:
                    text = verdict_node(verdict, "measurement")
                    text.insert(0, nodes.strong("", f"{counts[verdict]} "))
                    summary += nodes.list_item("", text)
            section += summary
            # Folded: several hundred rows on one page are for looking up, not for reading through.
            label = f"<details class='ledger-chapter'><summary>Show the {len(chapter['claims'])} claims</summary>"
            section += [nodes.raw("", label, format="html"), self.table(chapter), nodes.raw("", "</details>", format="html")]
            output.append(section)
        return output


class Count(SphinxRole):
    """`{count}`claims`` and friends: numbers counted when the book is built."""

    @ledger.in_role
    def run(self):
        chapters = ledger.load_all()
        posts = [chapter for chapter in chapters if chapter["chapter"] != "00_start"]
        verdicts = Counter(ledger.decide(claim) for chapter in posts for claim in chapter["claims"])
        numbers = {
            "claims": verdicts.total(),
            "untestable": verdicts["untestable"],
            "decided": verdicts.total() - verdicts["pending"] - verdicts["untestable"],
            "finished": sum(chapter["status"] == "finished" for chapter in posts),
        }
        if self.text not in numbers:
            raise ledger.LedgerError(f"{self.text!r} is not one of {list(numbers)}")
        return [nodes.Text(str(numbers[self.text]))], []


class Small(SphinxRole):
    def run(self):
        return [nodes.inline("", self.text, classes=["small"])], []


def rule_text(claim):
    rule = claim["rule"]
    if rule["by"] == "none":
        return f"Not testable here: {rule['why'].strip()}"
    parts = [f"*{label}:* {readable(rule[key])}" for key, label in (("holds", "Holds"), ("partly", "Partly")) if key in rule]
    if rule["by"] == "measuring":
        parts.insert(0, claim["metric"].strip().rstrip(".") + ".")
    return "\n\n".join([parts[0], "; ".join(parts[1:])] if rule["by"] == "measuring" else ["; ".join(parts)])


def readable(expression):
    text = str(expression).strip()
    try:
        ledger.evaluate(text, {"value": 1.0, "low": 1.0, "high": 1.0})
    except ledger.LedgerError:
        return text  # a rule by sources is a sentence already
    return " ".join(SYMBOLS.get(word, word) for word in text.split())


def measured_text(claim):
    return "\n\n".join(
        f"{where.upper()}: {number(ledger.resolve(key))}" for where, key in (claim.get("result") or {}).items()
    )


def number(figure, form=".3g"):
    """`1.21 [1.15, 1.30] x`: a figure with its interval where it has one, and its unit."""
    value, low, high = (figure[k] for k in ("value", "low", "high"))
    if figure["unit"] == "true or false":  # a recording holds numbers only
        value = bool(value)
    if isinstance(value, (bool, str)):
        return {True: "yes", False: "no"}.get(value, value)
    text = format(value, form)
    if (low, high) != (value, value):
        text += f" [{low:{form}}, {high:{form}}]"
    text = text.replace("-", "\N{MINUS SIGN}")
    return f"{text} {figure['unit'] if figure['unit'] not in COUNTS else ''}".strip()


def verdict_node(verdict, kind):
    words = ledger.VERDICTS[verdict]
    if verdict == "no" and kind in ("history", "mechanism"):
        words = "does not hold"
    text = nodes.inline("", words, classes=["verdict", verdict])
    return nodes.paragraph("", "", text)


def setup(app):
    app.add_directive("claims", Claims)
    app.add_directive("ledger", Ledger)
    app.add_role("count", Count())
    app.add_role("small", Small())
    return {"parallel_read_safe": True}
