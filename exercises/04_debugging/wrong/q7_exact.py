"""Compares texts as they are."""
# question: q7
# diagnosis: A text of the test part was kept


def clean(train, test):
    labels = {}
    for text, label in train:
        labels.setdefault(text, set()).add(label)
    gone = {text for text, _ in test}
    kept = []
    for text, label in train:
        if text.strip() and text not in gone and len(labels[text]) == 1:
            kept.append((text, label))
            gone.add(text)
    return kept
