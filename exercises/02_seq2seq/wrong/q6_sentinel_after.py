"""In the targets the sentinel follows its span."""
# question: q6
# diagnosis: a sentinel comes before its span
def corrupt(ids, spans, sentinel):
    inputs, targets, end = [], [], 0
    for start, length in sorted(spans):
        inputs += [*ids[end:start], sentinel]
        targets += [*ids[start:start + length], sentinel]
        end = start + length
        sentinel -= 1
    return inputs + ids[end:], targets
