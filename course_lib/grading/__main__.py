"""The commands of the exercise sets. Run them from the root of the repository.

    python -m course_lib.grading build            student notebooks of all sets
    python -m course_lib.grading new 08 q3        a question to start from
    python -m course_lib.grading grade 02 handed_in/ --csv grades.csv --db grades.sqlite
"""
import argparse
import re
import sys
from pathlib import Path

from course_lib.grading import build, notebook, scaffold
from course_lib.grading.notebook import NotebookError


def parser() -> argparse.ArgumentParser:
    """The parser of `build` and `new`; `grade` has its own, in `course_lib.grading.grade`."""
    top = argparse.ArgumentParser(prog="python -m course_lib.grading", description=__doc__,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = top.add_subparsers(dest="command", required=True)

    make = commands.add_parser("build", help="student notebooks and assignments", description="Write the student notebooks of "
                               f"the sets into {build.STUDENTS.as_posix()}/; the other forms into {build.OTHERS.as_posix()}/.")
    make.add_argument("sets", nargs="*", metavar="NN", help="number or name of a set, or path of a source; all sets if left out")
    make.add_argument("--check", action="store_true", help="write nothing; fail if a student notebook is not what its source makes")
    make.add_argument("--with-solutions", action="store_true", help="NAME_solutions.ipynb: with solutions, hidden tests and rubrics")
    make.add_argument("--nbgrader", action="store_true", help="NAME/NAME.ipynb: for the source folder of an nbgrader course")
    make.add_argument("--select", metavar="02:q1,08:q4", help="one assignment of these questions, with their chapters' setup cells")
    make.add_argument("--name", default="assignment", help="what --select makes is called this (default: %(default)s)")
    make.add_argument("--output", type=Path, metavar="DIR", help="write there instead")

    new = commands.add_parser("new", help="append a question to a set", description="Append a question that works, with two "
                              "wrong answers, to exercises/NN_name/; make the set if there is none.")
    new.add_argument("set", metavar="NN", help="number of a chapter, or its number and name")
    new.add_argument("question", metavar="qN")
    new.add_argument("--open", action="store_true", help="a question that is answered in words and graded by hand")

    commands.add_parser("grade", help="grade a folder of submissions in a sandbox", add_help=False)
    return top


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    try:
        if argv[:1] == ["grade"]:
            from course_lib.grading import grade

            return grade.main(argv[1:])
        options = parser().parse_args(argv)
        return run_new(options) if options.command == "new" else run_build(options)
    except NotebookError as error:
        print(error, file=sys.stderr)
        return 1


def run_build(options) -> int:
    if options.check and (options.with_solutions or options.nbgrader or options.select or options.output):
        raise NotebookError("--check looks at the student notebooks in notebooks/exercises/; use it alone or with numbers of sets")
    if options.with_solutions and options.nbgrader:
        raise NotebookError("--with-solutions and --nbgrader make different notebooks: run the command twice")
    if options.select:
        if options.sets:
            raise NotebookError("--select names its sets itself: leave the numbers out")
        if not re.fullmatch(r"[A-Za-z0-9][\w-]*", options.name):
            raise NotebookError(f"--name {options.name}: use letters, digits, - and _ only; it becomes a file name")
        sets = [build.compose(selection(options.select), options.name)]
    else:
        paths = [notebook.find_set(name) for name in options.sets] or notebook.find_sets()
        if not paths:
            raise NotebookError("there are no sets in exercises/: run this from the root of the repository, or make one with `new`")
        sets = [notebook.read_set(path) for path in paths]

    make, pattern = build.student, "{}.ipynb"
    if options.with_solutions:
        make, pattern = build.with_solutions, "{}_solutions.ipynb"
    elif options.nbgrader:
        make, pattern = build.nbgrader, "{0}/{0}.ipynb"
    plain = make is build.student and not options.select
    folder = options.output or (build.STUDENTS if plain else build.OTHERS)
    wanted = {folder / pattern.format(made.name): make(made) for made in sets}

    if options.check:
        stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
        if not options.sets:
            stale += sorted(set(folder.glob("*.ipynb")) - set(wanted))
        for path in stale:
            print(f"{path} is not what its source makes. Edit the source, never this file; then run "
                  "`python -m course_lib.grading build`. (If it has no source any more, delete it.)", file=sys.stderr)
        return 1 if stale else 0
    for (path, text), made in zip(wanted.items(), sets):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        minutes = sum(question.minutes for question in made.questions.values())
        print(f"{path}: {len(made.questions)} questions, {made.points} points, {minutes} minutes")
    return 0


def selection(text: str) -> list[tuple[notebook.Set, str]]:
    """The sets and questions of "02:q1,08:q4"."""
    chosen, sets = [], {}
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\w+):(q\d+)\s*", part)
        if not found:
            raise NotebookError(f"--select: {part!r} is not like 02:q1")
        if found[1] not in sets:
            sets[found[1]] = notebook.read_set(notebook.find_set(found[1]))
        chosen.append((sets[found[1]], found[2]))
    return chosen


def run_new(options) -> int:
    written = scaffold.new(options.set, options.question, options.open)
    for path in written:
        print(path)
    print(f"Edit the last cells of {written[0]} in JupyterLab and write the mistakes people make into wrong/. Then\n"
          f"    python -m course_lib.grading build {options.set}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
