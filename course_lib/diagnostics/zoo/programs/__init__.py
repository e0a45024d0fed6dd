"""Small programs that work, each in one file, as a person would write it. `zoo.cases` breaks them."""
