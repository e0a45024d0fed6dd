"""What a check found, and the report of all checks. Built in chapter 4."""
import html
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from course_lib.diagnostics.causes import CAUSES

THRESHOLD = 0.3    # findings below this confidence are not reported


@dataclass(frozen=True)
class Finding:
    """One root problem.

    check: name of the check that saw it. cause: the likeliest cause, an id of `CAUSES`. seen: what was measured,
    with its number. look: what to look at in the program. confidence: how sure, above 0 and at most 1.
    also: ids of other causes that would explain it, the likeliest first.

    Raises ValueError for an unknown cause and for a confidence outside (0, 1].
    """
    check: str
    cause: str
    seen: str
    look: str
    confidence: float
    also: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "also", tuple(self.also))
        for cause in (self.cause, *self.also):
            if cause not in CAUSES:
                raise ValueError(f"no cause is named {cause!r}; course_lib.diagnostics.CAUSES lists them")
        if not 0 < self.confidence <= 1:
            raise ValueError(f"confidence={self.confidence!r} must be above 0 and at most 1")

    def __str__(self) -> str:
        lines = [f"{self.cause} ({self.confidence:.0%} sure; {self.check})", "  " + CAUSES[self.cause],
                 "  seen: " + self.seen, "  look: " + self.look]
        if self.also:
            lines.append("  or:   " + ", ".join(self.also))
        return "\n".join(textwrap.fill(line, 100, subsequent_indent=" " * 8) for line in lines)


class Report(Sequence):
    """Findings, the surest first; findings below the threshold of confidence are left out.

    Of several findings with the same cause the surest stays: a root problem is told once. `notes` says which
    checks did not run, and why, and what the checks assumed. True if anything was found.
    """

    def __init__(self, findings: Iterable[Finding] = (), notes: Iterable[str] = (), threshold: float = THRESHOLD):
        surest: dict[str, Finding] = {}
        for finding in sorted(findings, key=lambda finding: -finding.confidence):    # stable: ties keep their order
            if finding.confidence >= threshold:
                surest.setdefault(finding.cause, finding)
        self.findings, self.notes = tuple(surest.values()), tuple(notes)

    def __getitem__(self, index):
        return self.findings[index]

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    @property
    def causes(self) -> list[str]:
        """Ids of the causes, the surest first."""
        return [finding.cause for finding in self.findings]

    def text(self) -> str:
        """The report for people: one paragraph a finding, then the notes."""
        parts = [f"{number}. {finding}" for number, finding in enumerate(self.findings, 1)] or ["Nothing found."]
        if self.notes:
            notes = (textwrap.fill("- " + note, 100, subsequent_indent="  ") for note in self.notes)
            parts.append("\n".join(["Notes", *notes]))
        return "\n\n".join(parts)

    def table(self) -> list[dict]:
        """One dict a finding: cause, confidence, seen, look, check, also. Fit for `pandas.DataFrame`."""
        names = ("cause", "confidence", "seen", "look", "check")
        return [{**{name: getattr(finding, name) for name in names}, "also": ", ".join(finding.also)}
                for finding in self.findings]

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Report: {', '.join(self.causes) or 'nothing found'}>"

    def _repr_html_(self) -> str:
        names = ("cause", "seen", "look", "confidence")
        rows = "".join("<tr>" + "".join(f'<td style="text-align: left">{html.escape(str(row[name]))}</td>'
                                        for name in names) + "</tr>"
                       for row in ({**row, "confidence": f"{row['confidence']:.0%}"} for row in self.table()))
        head = "".join(f'<th scope="col" style="text-align: left">{name}</th>' for name in names)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        table = table if rows else "<p>Nothing found.</p>"
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        return table + (f"<details><summary>Notes</summary><ul>{notes}</ul></details>" if notes else "")
