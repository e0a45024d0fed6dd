"""A zoo of silent bugs: small programs with one mistake each, their healthy twins, and programs that only look sick.

`cases` says what a case is; `programs` are the working programs; `open` and `sealed` break them, in two halves, and
`healthy` changes them in ways that are right. The sealed half was written without sight of the doctor's checks, and
they without sight of it. No check reads the zoo. Built in chapter 4.
"""
