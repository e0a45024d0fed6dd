"""Takes a mean over all positions for healthy."""
# question: q9
# diagnosis: Birch: healthy, you say


def verdicts():
    return {'Amber': 'healthy', 'Birch': 'healthy', 'Cedar': 'batch-mixing', 'Dune': 'layer-not-registered', 'Elm': 'future-leak', 'Fern': 'padding-in-loss'}
