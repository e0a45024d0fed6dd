"""What becomes of the chosen is drawn once for a text."""
# question: q5
# diagnosis: drawn once for a whole text
def mask_words(ids, special, mask_id, vocabulary, generator):

    chosen = torch.rand(ids.shape, generator=generator) < 0.15
    chosen = chosen & ~special
    fate = torch.rand(len(ids), 1, generator=generator)
    words = torch.randint(vocabulary, ids.shape, generator=generator)
    inputs = ids.where(~(chosen & (fate < 0.8)), mask_id)
    inputs = inputs.where(~(chosen & (fate >= 0.9)), words)
    return inputs, ids.where(chosen, -100)
