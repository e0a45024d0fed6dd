"""Exercise sets: student notebooks made from their sources, submissions graded in a sandbox.

`python -m course_lib.grading --help` lists the commands; the book's page for instructors explains
them. `notebook` reads the format; `build` and `scaffold` write notebooks; `grade` grades.
"""
