"""Does not see that the mask lets one token through."""
# question: q9
# diagnosis: A program with a bug is called healthy


def verdicts():
    return {'Amber': 'healthy', 'Birch': 'padding-leak', 'Cedar': 'batch-mixing', 'Dune': 'layer-not-registered', 'Elm': 'healthy', 'Fern': 'padding-in-loss'}
