"""Accuses the healthy program of its padding, and finds Dune healthy."""
# question: q9
# diagnosis: A healthy program is called ill


def verdicts():
    return {'Amber': 'symmetric-init', 'Birch': 'padding-leak', 'Cedar': 'batch-mixing', 'Dune': 'healthy', 'Elm': 'future-leak', 'Fern': 'padding-in-loss'}
