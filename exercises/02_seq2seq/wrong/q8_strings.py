"""The queries are compared as texts."""
# question: q8
# diagnosis: compare what the queries return
def same_result(prediction, gold, databases):
    try:
        for database in databases:
            database.run(gold)
    except SQLError as error:
        raise ValueError(str(error)) from error
    return prediction.lower().split() == gold.lower().split()
