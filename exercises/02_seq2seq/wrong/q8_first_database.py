"""The verdict falls on the first database."""
# question: q8
# diagnosis: try all of them
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
        return arrange(found) == arrange(wanted)
