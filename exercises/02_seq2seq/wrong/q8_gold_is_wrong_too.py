"""A gold query that fails counts as a wrong prediction."""
# question: q8
# diagnosis: A gold query that fails says nothing
from collections import Counter


def same_result(prediction, gold, databases):
    arrange = list if is_ordered(gold) else Counter
    try:
        return all(arrange(database.run(prediction)) == arrange(database.run(gold))
                   for database in databases)
    except SQLError:
        return False
