"""The verdict of the last database counts."""
# question: q8
# diagnosis: Right on the last database only
from collections import Counter


def same_result(prediction, gold, databases):
    for database in databases:
        try:
            wanted = database.run(gold)
        except SQLError as error:
            raise ValueError(str(error)) from error
        try:
            found = database.run(prediction)
        except SQLError:
            return False

        arrange = list if is_ordered(gold) else Counter
        verdict = arrange(found) == arrange(wanted)
    return verdict
