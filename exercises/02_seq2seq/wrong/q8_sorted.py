"""Rows are sorted, which fails where one holds NULL."""
# question: q8
# diagnosis: Rows with NULL
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

        if not is_ordered(gold):
            found, wanted = sorted(found), sorted(wanted)
        if found != wanted:
            return False
    return True
