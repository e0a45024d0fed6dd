"""Corpora written by grammars, with the truth attached, and loaders of real ones."""
