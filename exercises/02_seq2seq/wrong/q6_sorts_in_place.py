"""The list of spans is sorted in place."""
# question: q6
# diagnosis: spans was changed
def corrupt(ids, spans, sentinel):
    """T5's inputs and targets, two lists of tokens."""
    spans.sort()
    inputs, targets, end = [], [], 0
    for start, length in spans:
        inputs += [*ids[end:start], sentinel]
        targets += [sentinel, *ids[start:start + length]]
        end = start + length
        sentinel -= 1
    return inputs + ids[end:], [*targets, sentinel]
