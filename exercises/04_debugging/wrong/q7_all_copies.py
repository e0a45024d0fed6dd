"""Drops every copy."""
# question: q7
# diagnosis: keep the first, as it is


def clean(train, test):
    key = lambda text: " ".join(text.lower().split())
    texts = [key(text) for text, _ in train]
    gone = {key(text) for text, _ in test} | {""}
    return [(text, label) for text, label in train if key(text) not in gone and texts.count(key(text)) == 1]
