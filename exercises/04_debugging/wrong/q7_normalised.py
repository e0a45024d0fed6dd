"""Returns texts in lower case."""
# question: q7
# diagnosis: return the examples as they are


def clean(train, test):
    key = lambda text: " ".join(text.lower().split())
    labels = {}
    for text, label in train:
        labels.setdefault(key(text), set()).add(label)
    gone, kept = {key(text) for text, _ in test} | {""}, []
    for text, label in train:
        if key(text) not in gone and len(labels[key(text)]) == 1:
            kept.append((key(text), label))
            gone.add(key(text))
    return kept
