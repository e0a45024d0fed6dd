"""Lists the packages; everything else is in pyproject.toml.

The recorded measurements travel inside the wheel, as `course_lib._results`, so that a reader on
Colab sees them. They lie outside the package here, which pyproject.toml's own list of packages
cannot express together with a search for the sub-packages.
"""
from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["course_lib", "course_lib.*"]), "course_lib._results"],
    package_dir={"course_lib._results": "results"},
)
