"""Spans that touch are cut out as one."""
# question: q6
# diagnosis: Spans that touch
def corrupt(ids, spans, sentinel):
    cut = {i for start, length in spans for i in range(start, start + length)}
    inputs, targets = [], []
    for i, token in enumerate(ids):
        if i not in cut:
            inputs.append(token)
            continue
        if i - 1 not in cut:
            inputs.append(sentinel)
            targets.append(sentinel)
            sentinel -= 1
        targets.append(token)
    return inputs, targets + [sentinel]
