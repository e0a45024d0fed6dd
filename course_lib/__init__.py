"""Attention to Detail: the library that the notebooks import."""

__version__ = "0.1.0"
