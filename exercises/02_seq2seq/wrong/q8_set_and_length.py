"""Sets of rows and their number."""
# question: q8
# diagnosis: also where both have as many rows
def same_result(prediction, gold, databases):
    def differ(found, wanted):
        if is_ordered(gold):
            return found != wanted
        return set(found) != set(wanted) or len(found) != len(wanted)

    for database in databases:
        try:
            wanted = database.run(gold)
        except SQLError as error:
            raise ValueError(str(error)) from error
        try:
            if differ(database.run(prediction), wanted):
                return False
        except SQLError:
            return False
    return True
