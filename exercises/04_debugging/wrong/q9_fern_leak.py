"""Takes Fern for a leak."""
# question: q9
# diagnosis: A bug has the wrong name


def verdicts():
    return {'Amber': 'healthy', 'Birch': 'padding-leak', 'Cedar': 'batch-mixing', 'Dune': 'layer-not-registered', 'Elm': 'future-leak', 'Fern': 'future-leak'}
