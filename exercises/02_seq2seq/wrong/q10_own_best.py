"""Each beam is continued by its own best token only."""
# question: q10
# diagnosis: Found what greedy search finds
def beam_search(log_p, beams, eos, max_length, length_penalty=1.0):
    running, finished = [((), 0.0)] * beams, []
    for length in range(1, max_length + 1):
        longer = []
        for tokens, total in running:
            more = log_p(tokens)
            finished.append(((total + more[eos].item()) / length ** length_penalty,
                             [*tokens, eos]))
            more[eos] = -math.inf
            best = int(more.argmax())
            longer.append(((*tokens, best), total + more[best].item()))
        running = longer
    finished += [(total / length ** length_penalty, list(tokens))
                 for tokens, total in running]
    score, tokens = max(finished)
    return tokens, score
