"""Any ORDER BY counts, also one inside."""
# question: q8
# diagnosis: An ORDER BY inside orders nothing
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

        arrange = list if "ORDER BY" in gold else Counter
        if arrange(found) != arrange(wanted):
            return False
    return True
