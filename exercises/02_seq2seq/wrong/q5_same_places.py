"""One pattern for the whole batch."""
# question: q5
# diagnosis: The same places in every text
def mask_words(ids, special, mask_id, vocabulary, generator):

    length = ids.shape[1]
    chosen = torch.rand(length, generator=generator) < 0.15
    chosen = chosen & ~special
    fate = torch.rand(ids.shape, generator=generator)
    words = torch.randint(vocabulary, ids.shape, generator=generator)
    inputs = ids.where(~(chosen & (fate < 0.8)), mask_id)
    inputs = inputs.where(~(chosen & (fate >= 0.9)), words)
    return inputs, ids.where(chosen, -100)
