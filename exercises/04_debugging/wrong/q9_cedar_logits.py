"""Sees the extra softmax, and not that it runs over the batch."""
# question: q9
# diagnosis: Cedar: the output of three sentences changes


def verdicts():
    return {'Amber': 'healthy', 'Birch': 'padding-leak', 'Cedar': 'probabilities-for-logits', 'Dune': 'layer-not-registered', 'Elm': 'future-leak', 'Fern': 'padding-in-loss'}
