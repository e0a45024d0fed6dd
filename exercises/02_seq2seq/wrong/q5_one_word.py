"""One word is drawn for all places."""
# question: q5
# diagnosis: The other words are all the same
def mask_words(ids, special, mask_id, vocabulary, generator):

    chosen = torch.rand(ids.shape, generator=generator) < 0.15
    chosen = chosen & ~special
    fate = torch.rand(ids.shape, generator=generator)
    word = torch.randint(vocabulary, (1,), generator=generator)
    inputs = ids.where(~(chosen & (fate < 0.8)), mask_id)
    inputs = inputs.where(~(chosen & (fate >= 0.9)), word)
    return inputs, ids.where(chosen, -100)
