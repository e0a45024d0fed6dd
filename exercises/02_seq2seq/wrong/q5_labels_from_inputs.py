"""The labels are taken when the inputs have been changed in place."""
# question: q5
# diagnosis: Labels that say [MASK]
def mask_words(ids, special, mask_id, vocabulary, generator):

    inputs = ids.clone()
    chosen = torch.rand(ids.shape, generator=generator) < 0.15
    chosen = chosen & ~special
    fate = torch.rand(ids.shape, generator=generator)
    words = torch.randint(vocabulary, ids.shape, generator=generator)
    inputs[chosen & (fate < 0.8)] = mask_id
    inputs[chosen & (fate >= 0.9)] = words[chosen & (fate >= 0.9)]
    return inputs, inputs.where(chosen, -100)
