"""The targets lack the sentinel that ends them."""
# question: q6
# diagnosis: The targets end with one more sentinel
def corrupt(ids, spans, sentinel):
    inputs, targets, end = [], [], 0
    for start, length in sorted(spans):
        inputs += [*ids[end:start], sentinel]
        targets += [sentinel, *ids[start:start + length]]
        end = start + length
        sentinel -= 1
    return inputs + ids[end:], targets
