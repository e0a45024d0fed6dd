"""Ninety years of machine translation, one module per paradigm. Built in chapter 1."""
