"""The order is compared although the gold query has none."""
# question: q8
# diagnosis: its rows come in any order
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

        if found != wanted:
            return False
    return True
