"""What only lessons and exercises need: checks that report, numbers for the book's prose, a student's seed."""

import math
import os
from contextlib import contextmanager


@contextmanager
def attempt(question):
    """Run the asserts of one exercise and print one line: right, not yet and why, or not answered.

    The exercise sets use plain asserts, which stop at the first unsolved question; a lesson must
    run to its end, solved or not:

        with attempt("q1"):
            assert flops(2, 3, 5) == 60, "each of the 2 x 5 outputs takes 3 products and 3 additions"

    Every exception of the learner's code is reported, none is raised; an interruption passes through.
    """
    try:
        yield
    except NotImplementedError:
        print(f"{question}: not answered yet. Write the answer in the cell above, then run this one again.")
    except AssertionError as error:
        print(f"{question}: not yet. {_message(error) or 'A check without a message failed.'}")
    except (Exception, SystemExit) as error:   # exit() in an answer must not end the lesson
        print(f"{question}: your code stopped with {type(error).__name__}: {_message(error)}")
    else:
        print(f"{question}: right.")


def _message(error, longest=500):
    try:
        text = str(error)
    except Exception:   # an exception class of the learner's may be broken itself
        return "(its message could not be read)"
    return text if len(text) <= longest else f"{text[:longest]} ..."


def glue(name, value, digits=3):
    """Keep `value` in the notebook under `name`, for the book's prose and claims; shows nothing.

    Floats are rounded to `digits` significant digits, so that the notebook gives the same value on
    every machine. A page of the book shows it with {glued}`NN_name::name`; a claim is decided by it
    with `notebooks/NN_name.ipynb::name`. Writes what myst_nb.glue writes, without needing myst_nb.

    value: a number, a truth value, a text, a NumPy scalar or a tensor of one number, or a dict of such
    (value, low, high). Raises ValueError for NaN and infinity, TypeError for anything else.
    """
    from IPython.display import display

    value = _plain(value, digits)
    prefix = "application/papermill.record/"
    display(
        {f"{prefix}text/plain": repr(value)},
        metadata={"scrapbook": {"name": name, "mime_prefix": prefix}},
        raw=True,
    )


def _plain(value, digits):
    if isinstance(value, dict):
        return {key: _plain(part, digits) for key, part in value.items()}
    if not isinstance(value, (bool, int, float, str)):
        try:
            value = value.item()   # of NumPy or torch
        except (AttributeError, RuntimeError, ValueError):
            raise TypeError(f"glue keeps one number, truth value or text, not {type(value).__name__}") from None
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"glue: {value} says nothing; look at what computed it")
        value = float(f"{value:.{digits}g}")
    return value


def caught(function, *arguments, **options):
    """The exception of `function(*arguments, **options)` as "ValueError: message", or None without one.

    So an exercise observes an exception that it asks for, as plain text that can be sent and compared.
    NotImplementedError passes through, since it is an exercise not answered yet; so does what is no
    Exception, such as an interruption.
    """
    try:
        function(*arguments, **options)
    except NotImplementedError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def student_seed():
    """The seed of a student's own data, an int: the environment variable COURSE_STUDENT_SEED, else 0.

    Grading sets it, so that two students' numbers differ; the instructor's copy has 0. Raises
    ValueError where the variable is no whole number.
    """
    value = os.environ.get("COURSE_STUDENT_SEED", "").strip() or "0"
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"COURSE_STUDENT_SEED={value!r} is no whole number: correct it, or unset it for 0") from None
