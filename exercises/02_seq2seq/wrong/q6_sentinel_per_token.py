"""Every token that is cut out gets a sentinel of its own."""
# question: q6
# diagnosis: One sentinel for each token
def corrupt(ids, spans, sentinel):
    cut = {i for start, length in spans for i in range(start, start + length)}
    inputs, targets = [], []
    for i, token in enumerate(ids):
        if i in cut:
            inputs.append(sentinel)
            targets += [sentinel, token]
            sentinel -= 1
        else:
            inputs.append(token)
    return inputs, targets + [sentinel]
