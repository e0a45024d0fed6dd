"""The sentinels follow the order in which the spans are given, not that of the text."""
# question: q6
# diagnosis: Spans in another order
def corrupt(ids, spans, sentinel):
    names = {span: sentinel - i for i, span in enumerate(spans)}
    inputs, targets, end = [], [], 0
    for start, length in sorted(spans):
        inputs += [*ids[end:start], names[start, length]]
        end = start + length
    for start, length in spans:
        targets += [names[start, length], *ids[start:start + length]]
    return inputs + ids[end:], targets + [sentinel - len(spans)]
