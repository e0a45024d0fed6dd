"""Finished texts are continued."""
# question: q10
# diagnosis: goes on after its end token
def beam_search(log_p, beams, eos, max_length, length_penalty=1.0):
    running, finished = [((), 0.0)], []
    for length in range(1, max_length + 1):
        longer = [((*tokens, token), total + more)
                  for tokens, total in running
                  for token, more in enumerate(log_p(tokens).tolist())]
        running = []
        for tokens, total in longer:
            if tokens[-1] == eos or length == max_length:
                finished.append((total / length ** length_penalty, list(tokens)))
            running.append((tokens, total + (2 if tokens[-1] == eos else 0)))
        running = sorted(running, key=lambda r: r[1], reverse=True)[:beams]
    score, tokens = max(finished)
    return tokens, score
