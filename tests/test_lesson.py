import ast

import numpy
import pytest
import torch

from course_lib.lesson import attempt, caught, glue, student_seed


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


def test_caught_gives_name_and_message():
    assert caught(raise_, ValueError("p=2 is no share")) == "ValueError: p=2 is no share"
    assert caught(raise_, error=KeyError("a")) == "KeyError: 'a'"
    assert caught(int, "7") is None


@pytest.mark.parametrize("error", [NotImplementedError, KeyboardInterrupt, SystemExit])
def test_caught_lets_pass_what_is_no_answer(error):
    with pytest.raises(error):
        caught(raise_, error())


@pytest.mark.parametrize("value, seed", [(None, 0), ("", 0), (" 17\n", 17), ("-3", -3), (str(2**70), 2**70)])
def test_student_seed(monkeypatch, value, seed):
    monkeypatch.delenv("COURSE_STUDENT_SEED", raising=False)
    if value is not None:
        monkeypatch.setenv("COURSE_STUDENT_SEED", value)
    assert student_seed() == seed


def test_a_student_seed_that_is_no_number_is_named(monkeypatch):
    monkeypatch.setenv("COURSE_STUDENT_SEED", "ada")
    with pytest.raises(ValueError, match="COURSE_STUDENT_SEED='ada' is no whole number"):
        student_seed()


class Broken(Exception):
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize("error, said", [
    (AssertionError(), "q1: not yet. A check without a message failed."),
    (SystemExit(3), "q1: your code stopped with SystemExit: 3"),
    (Broken(), "q1: your code stopped with Broken: (its message could not be read)"),
    (ValueError("x" * 501), f"q1: your code stopped with ValueError: {'x' * 500} ..."),
])
def test_whatever_an_answer_does_is_one_line(capsys, error, said):
    with attempt("q1"):
        raise error
    assert capsys.readouterr().out == said + "\n"


@pytest.mark.parametrize("value, kept", [
    (numpy.float32(0.1), "0.1"), (numpy.int64(3), "3"), (numpy.bool_(True), "True"), (torch.tensor(2.5), "2.5"), (torch.tensor(True), "True"),
    ({"value": numpy.float64(1.23456), "low": 1, "high": torch.tensor(2)}, "{'value': 1.23, 'low': 1, 'high': 2}"),
])
def test_glue_keeps_plain_numbers_of_libraries(monkeypatch, value, kept):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: shown.append(data))
    glue("x", value)
    assert list(shown[0].values()) == [kept]


@pytest.mark.parametrize("value, error", [(float("nan"), ValueError), (torch.tensor(float("inf")), ValueError), (torch.zeros(2), TypeError),
                                          (None, TypeError), ([1], TypeError), ({"value": float("nan")}, ValueError)])
def test_glue_refuses_what_the_book_cannot_read(monkeypatch, value, error):
    monkeypatch.setattr("IPython.display.display", lambda *data, **more: pytest.fail("was shown"))
    with pytest.raises(error, match="glue"):
        glue("x", value)
