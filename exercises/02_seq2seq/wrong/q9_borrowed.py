"""The library's processors."""
# question: q9
# diagnosis: without course_lib.generation
def process(scores, ids, penalty, p):
    return processors.top_p(processors.repetition_penalty(scores, ids, penalty), p)
