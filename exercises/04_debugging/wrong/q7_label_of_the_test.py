"""Drops from training only what has the same label in the test part."""
# question: q7
# diagnosis: whatever the label


def clean(train, test):
    key = lambda text: " ".join(text.lower().split())
    labels = {}
    for text, label in train:
        labels.setdefault(key(text), set()).add(label)
    gone, kept = {(key(text), label) for text, label in test}, []
    for text, label in train:
        if key(text) and (key(text), label) not in gone and len(labels[key(text)]) == 1:
            kept.append((text, label))
            gone.add((key(text), label))
    return kept
