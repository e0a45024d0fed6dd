"""Accuses the healthy program."""
# question: q9
# diagnosis: At least one is healthy


def verdicts():
    return {'Amber': 'padding-in-loss', 'Birch': 'padding-leak', 'Cedar': 'batch-mixing', 'Dune': 'layer-not-registered', 'Elm': 'future-leak', 'Fern': 'padding-in-loss'}
