"""Sentinels are counted up."""
# question: q6
# diagnosis: Sentinels are counted down
def corrupt(ids, spans, sentinel):
    inputs, targets, end = [], [], 0
    for start, length in sorted(spans):
        inputs += [*ids[end:start], sentinel]
        targets += [sentinel, *ids[start:start + length]]
        end = start + length
        sentinel += 1
    return inputs + ids[end:], targets + [sentinel]
