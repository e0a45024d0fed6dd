"""Small programs that work: each one file, data to training loop, as a person would write it. `zoo.cases` breaks them."""
