"""One alignment from two: each direction links every word of its target to at most one source word.

Koehn, Och and Marcu 2003, "Statistical phrase-based translation", and Och and Ney 2003. An alignment is a
set of links (source place, target place), counted from 0. Built in chapter 1.
"""
from collections.abc import Callable, Iterable, Sequence

Links = set[tuple[int, int]]

AROUND = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def links(places: Sequence[int | None], reverse: bool = False) -> Links:
    """The links of a model's `align`, a source place or None for each target word.

    reverse: the model was trained from target to source, so `places` has one entry per source word.
    """
    found = {(source, target) for target, source in enumerate(places) if source is not None}
    return {(b, a) for a, b in found} if reverse else found


def intersection(forward: Links, backward: Links) -> Links:
    """Links on which both directions agree: few and mostly right."""
    return forward & backward


def union(forward: Links, backward: Links) -> Links:
    """Links of either direction: many, and more of them wrong."""
    return forward | backward


def grow_diag_final_and(forward: Links, backward: Links) -> Links:
    """From the intersection towards the union: links beside those there are, if they reach a word that has none;
    at the end, links of the union between two words of which neither has one.

    Growing goes on until nothing is added; links and neighbours are visited in order of place, so the result
    is one and the same each time.
    """
    grown, either = forward & backward, forward | backward
    sources, targets = {s for s, _ in grown}, {t for _, t in grown}

    def add(link):
        grown.add(link)
        sources.add(link[0])
        targets.add(link[1])

    before = -1
    while len(grown) > before:
        before = len(grown)
        for source, target in sorted(grown):
            for down, right in AROUND:
                link = source + down, target + right
                if link in either and link not in grown and (link[0] not in sources or link[1] not in targets):
                    add(link)
    for direction in (forward, backward):
        for link in sorted(direction):
            if link[0] not in sources and link[1] not in targets:
                add(link)
    return grown


METHODS: dict[str, Callable[[Links, Links], Links]] = {
    "intersection": intersection, "union": union, "grow-diag-final-and": grow_diag_final_and}


def symmetrise(forward, backward, pairs: Iterable[tuple[Sequence[str], Sequence[str]]],
               method: str = "grow-diag-final-and") -> list[Links]:
    """The links of each pair by two models: `forward` fitted on (source, target), `backward` on (target, source).

    Raises ValueError for a method that is not in METHODS.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: use one of {', '.join(METHODS)}")
    return [METHODS[method](links(forward.align(source, target)), links(backward.align(target, source), reverse=True))
            for source, target in pairs]
