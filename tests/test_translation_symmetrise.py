"""Symmetrisation by hand, against nltk, and by what it promises."""
import random

import pytest
from course_lib.translation.ibm import IBMModel1
from course_lib.translation.symmetrise import grow_diag_final_and, intersection, links, symmetrise, union


def random_alignments(seed):
    rng = random.Random(seed)
    n, m = rng.randint(1, 7), rng.randint(1, 7)
    forward = links([rng.choice([None, *range(n)]) for _ in range(m)])
    backward = links([rng.choice([None, *range(m)]) for _ in range(n)], reverse=True)
    return n, m, forward, backward


def test_links_of_both_directions():
    assert links([1, None, 0]) == {(1, 0), (0, 2)}
    assert links([1, None, 0], reverse=True) == {(0, 1), (2, 0)}


def test_by_hand():
    forward, backward = {(0, 0), (1, 1), (1, 2), (3, 4)}, {(0, 0), (1, 1), (2, 1), (4, 3)}
    assert intersection(forward, backward) == {(0, 0), (1, 1)}
    assert union(forward, backward) == forward | backward
    # (1, 2) and (2, 1) touch (1, 1) and each brings a word without a link; (3, 4) touches nothing and is taken
    # at the end, since neither of its words has a link; then (4, 3) too
    assert grow_diag_final_and(forward, backward) == {(0, 0), (1, 1), (1, 2), (2, 1), (3, 4), (4, 3)}
    # at the end a link needs two free words: (2, 0) has a taken target
    assert grow_diag_final_and({(0, 0), (2, 0)}, {(0, 0)}) == {(0, 0)}


def test_what_it_promises():
    for seed in range(300):
        _, _, forward, backward = random_alignments(seed)
        grown = grow_diag_final_and(forward, backward)
        assert forward & backward <= grown <= forward | backward
        assert grow_diag_final_and(backward, forward) >= forward & backward
        sources, targets = {s for s, _ in grown}, {t for _, t in grown}
        assert all(s in sources or t in targets for s, t in forward | backward)
        for s, t in forward & backward:    # beside what both agree on, no word is left without a link
            for link in {(s + a, t + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & (forward | backward):
                assert link in grown or (link[0] in sources and link[1] in targets)


def test_nltk_gives_the_union():
    """Its test whether a word has a link looks into the wrong dictionary, so every link passes (nltk 3.10)."""
    from nltk.translate.gdfa import grow_diag_final_and as peer

    different = 0
    for seed in range(300):
        n, m, forward, backward = random_alignments(seed)
        text = [" ".join(f"{s}-{t}" for s, t in sorted(a)) for a in (forward, backward)]
        if all(text):
            assert set(peer(n, m, *text)) == forward | backward
            different += grow_diag_final_and(forward, backward) != forward | backward
    assert different > 100


def test_two_models():
    pairs = [(["a", "b"], ["x", "y"]), (["a"], ["x"]), (["b", "c"], ["y", "z"]), (["c"], ["z"])]
    forward, backward = IBMModel1(10).fit(pairs), IBMModel1(10).fit([(t, s) for s, t in pairs])
    assert symmetrise(forward, backward, pairs) == [{(0, 0), (1, 1)}, {(0, 0)}, {(0, 0), (1, 1)}, {(0, 0)}]
    with pytest.raises(ValueError, match="method='grow'"):
        symmetrise(forward, backward, pairs, method="grow")
