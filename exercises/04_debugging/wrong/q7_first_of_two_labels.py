"""Keeps the first of two labels."""
# question: q7
# diagnosis: has both labels


def clean(train, test):
    key = lambda text: " ".join(text.lower().split())
    gone, kept = {key(text) for text, _ in test} | {""}, []
    for text, label in train:
        if key(text) not in gone:
            kept.append((text, label))
            gone.add(key(text))
    return kept
