"""Every exercise set, graded as submissions are: reference, stub and wrong answers."""

from pathlib import Path

import pytest
from grading_fixture import needs_bubblewrap

from course_lib.grading import grade
from course_lib.grading.leaks import leaks
from course_lib.grading.notebook import read_set, read_wrong

ROOT = Path(__file__).resolve().parent.parent
SETS = sorted((ROOT / "exercises").glob("[0-9][0-9]_*/source.ipynb"))


@needs_bubblewrap
@pytest.mark.parametrize("path", SETS, ids=lambda path: path.parent.name)
def test_reference_stub_and_wrong_answers(path):
    """Reference full points; stub none; each wrong answer caught at its question with its diagnosis."""
    made = read_set(path)
    questions = [question for question in made.questions.values() if question.exercise]
    wrong = read_wrong(path.parent / "wrong")
    answers = [(q.id, q.exercise) for q in questions] + [(q.id, q.stub) for q in questions] + [(w.question, w.source) for w in wrong]
    results = grade.grade_answers(made, answers)
    for question, result in zip(questions, results):
        assert result.status == "ok", (question.id, result)
    for question, result in zip(questions, results[len(questions):]):
        assert result.status == "not attempted", (question.id, result)
    for answer, result in zip(wrong, results[2 * len(questions):]):
        # "crash": an answer that imports course_lib's is refused at the import
        assert result.status in ("wrong", "crash") and answer.diagnosis in result.private, (answer.name, result)
        assert leaks(result.feedback, made) == [], answer.name
    for question in questions:
        assert sum(w.question == question.id for w in wrong) >= 2, question.id
    assert len(wrong) >= 3 * len(questions)
