"""The search stops when no running sum is above the best score."""
# question: q10
# diagnosis: The search stops early
def beam_search(log_p, beams, eos, max_length, length_penalty=1.0):
    """The best text found, a list of tokens, and its score."""
    running, finished = [((), 0.0)], []
    for length in range(1, max_length + 1):
        longer = [((*tokens, token), total + more)
                  for tokens, total in running
                  for token, more in enumerate(log_p(tokens).tolist())]
        running = []
        for tokens, total in longer:
            if tokens[-1] == eos or length == max_length:
                score = total / length ** length_penalty
                finished.append((score, list(tokens)))
            else:
                running.append((tokens, total))
        running = sorted(running, key=lambda r: r[1], reverse=True)[:beams]
        if finished and running and max(finished)[0] > max(s for _, s in running):
            break
    score, tokens = max(finished)
    return tokens, score
