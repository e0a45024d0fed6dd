"""The prediction is run first, and decides alone when it fails."""
# question: q8
# diagnosis: Both queries fail
def same_result(prediction, gold, databases):
    """Whether both queries return the same, on every database."""
    from collections import Counter

    arrange = list if is_ordered(gold) else Counter
    for database in databases:
        try:
            found = database.run(prediction)
        except SQLError:
            return False
        try:
            wanted = database.run(gold)
        except SQLError as error:
            raise ValueError(f"the gold query fails: {error}") from error
        if arrange(found) != arrange(wanted):
            return False
    return True
