import ast

import pytest

from course_lib.lesson import attempt, glue


def outcome(capsys, action):
    with attempt("q1"):
        action()
    return capsys.readouterr().out


def raise_(error):
    raise error


def test_right(capsys):
    assert outcome(capsys, lambda: None) == "q1: right.\n"


def test_not_answered(capsys):
    assert "not answered yet" in outcome(capsys, lambda: raise_(NotImplementedError()))


def test_wrong_answers_get_the_message_of_the_check(capsys):
    assert outcome(capsys, lambda: raise_(AssertionError("count the additions too"))) == (
        "q1: not yet. count the additions too\n"
    )


def test_code_that_stops_is_named(capsys):
    assert outcome(capsys, lambda: 1 / 0) == "q1: your code stopped with ZeroDivisionError: division by zero\n"


def test_an_interruption_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt), attempt("q1"):
        raise KeyboardInterrupt


def glued(monkeypatch, *arguments, **options):
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda data, **rest: shown.append((data, rest)))
    glue(*arguments, **options)
    return shown[0]


def test_glue_writes_what_the_book_reads(monkeypatch):
    """The same bundle as myst_nb.glue(name, value, display=False)."""
    import myst_nb

    import IPython.display

    theirs = []
    monkeypatch.setattr("myst_nb.ext.glue.ipy_display", lambda data, **rest: theirs.append((data, rest)))
    myst_nb.glue("ratio", 7, display=False)
    (their_data, their_rest), = theirs
    data, rest = glued(monkeypatch, "ratio", 7)
    assert data == {key: value for key, value in their_data.items() if key.endswith("text/plain")}
    assert rest["metadata"] == their_rest["metadata"]


@pytest.mark.parametrize("value, kept", [(1234.5678, 1230.0), (0.123456, 0.123), (True, True), ("a", "a"), (17, 17)])
def test_floats_are_rounded_to_significant_digits(monkeypatch, value, kept):
    data, _ = glued(monkeypatch, "x", value)
    assert ast.literal_eval(next(iter(data.values()))) == kept


def test_digits_can_be_chosen(monkeypatch):
    data, _ = glued(monkeypatch, "x", 3.14159265, digits=5)
    assert next(iter(data.values())) == "3.1416"
