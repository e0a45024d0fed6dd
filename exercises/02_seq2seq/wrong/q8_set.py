"""Sets of rows: how often a row comes is forgotten."""
# question: q8
# diagnosis: a set forgets
def same_result(prediction, gold, databases):
    arrange = list if is_ordered(gold) else set
    for database in databases:
        try:
            wanted = arrange(database.run(gold))
        except SQLError as error:
            raise ValueError(str(error)) from error
        try:
            if arrange(database.run(prediction)) != wanted:
                return False
        except SQLError:
            return False
    return True
