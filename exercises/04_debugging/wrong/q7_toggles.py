"""Forgets a text at its second label, so that a third copy comes back."""
# question: q7
# diagnosis: has both labels


def clean(train, test):
    key = lambda text: " ".join(text.lower().split())
    gone, kept = {key(text) for text, _ in test} | {""}, {}
    for text, label in train:
        name = key(text)
        if name in gone:
            continue
        if name in kept and kept[name][1] != label:
            del kept[name]
        else:
            kept.setdefault(name, (text, label))
    return list(kept.values())
