"""Exercise sets: student notebooks made from their sources, submissions graded in a sandbox.

`python -m course_lib.grading --help` lists the commands; the book's page for instructors explains
them. `notebook` reads the format; `build` and `scaffold` write notebooks. `grade` takes what
`submissions` finds; for each, a `referee` runs the answers in a `sandbox`, whose `worker` is held by
`confine`, and a `judge` asserts on what `transport` and `remote` carry out of it. `gradebook` and
`feedback` give the result out.
"""
