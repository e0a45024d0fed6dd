"""The other words are the neighbours of the chosen ones, not words of the vocabulary."""
# question: q5
# diagnosis: words of these texts
def mask_words(ids, special, mask_id, vocabulary, generator):

    chosen = (torch.rand(ids.shape, generator=generator) < 0.15) & ~special
    fate = torch.rand(ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.9), ids.roll(1, 1), inputs)
    return inputs, torch.where(chosen, ids, -100)
