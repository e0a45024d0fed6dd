"""Only those endings count that are among the best continuations."""
# question: q10
# diagnosis: are all endings set aside
def beam_search(log_p, beams, eos, max_length, length_penalty=1.0):
    running, finished = [((), 0.0)], []
    for length in range(1, max_length + 1):
        longer = [((*tokens, token), total + more)
                  for tokens, total in running
                  for token, more in enumerate(log_p(tokens).tolist())]
        running = []
        longer.sort(key=lambda r: r[1], reverse=True)
        for tokens, total in longer[:2 * beams]:
            if tokens[-1] == eos or length == max_length:
                finished.append((total / length ** length_penalty, list(tokens)))
            else:
                running.append((tokens, total))
        running = sorted(running, key=lambda r: r[1], reverse=True)[:beams]
    score, tokens = max(finished)
    return tokens, score
