"""What only lessons need: a check that reports instead of stopping, and numbers for the book's prose."""

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
        print(f"{question}: not yet. {error or 'A check without a message failed.'}")
    except Exception as error:
        print(f"{question}: your code stopped with {type(error).__name__}: {error}")
    else:
        print(f"{question}: right.")


def glue(name, value, digits=3):
    """Keep `value` in the notebook under `name`, for the book's prose and claims; shows nothing.

    Floats are rounded to `digits` significant digits, so that the notebook gives the same value on
    every machine. A page of the book shows it with {glued}`NN_name::name`; a claim is decided by it
    with `notebooks/NN_name.ipynb::name`. Writes what myst_nb.glue writes, without needing myst_nb.
    """
    from IPython.display import display

    if isinstance(value, float):
        value = float(f"{value:.{digits}g}")
    prefix = "application/papermill.record/"
    display(
        {f"{prefix}text/plain": repr(value)},
        metadata={"scrapbook": {"name": name, "mime_prefix": prefix}},
        raw=True,
    )
