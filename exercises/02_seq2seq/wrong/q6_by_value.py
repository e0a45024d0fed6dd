"""Tokens are looked for by their value, which may occur elsewhere."""
# question: q6
# diagnosis: Equal tokens inside and outside
def corrupt(ids, spans, sentinel):
    inputs, targets = list(ids), []
    for start, length in sorted(spans):
        cut = ids[start:start + length]
        first = inputs.index(cut[0])
        inputs[first:first + length] = [sentinel]
        targets += [sentinel, *cut]
        sentinel -= 1
    return inputs, targets + [sentinel]
