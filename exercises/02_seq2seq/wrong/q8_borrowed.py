"""The library's judge."""
# question: q8
# diagnosis: Write it yourself
from course_lib.data.databases import judge


def same_result(prediction, gold, databases):
    return judge(prediction, gold, databases) == "right"
