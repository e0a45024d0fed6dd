"""All spans get the same sentinel."""
# question: q6
# diagnosis: All spans have the same sentinel
def corrupt(ids, spans, sentinel):
    inputs, targets, end = [], [], 0
    for start, length in sorted(spans):
        inputs += [*ids[end:start], sentinel]
        targets += [sentinel, *ids[start:start + length]]
        end = start + length
    return inputs + ids[end:], targets + [sentinel]
