"""The order is never compared."""
# question: q8
# diagnosis: the order is another
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

        if Counter(found) != Counter(wanted):
            return False
    return True
