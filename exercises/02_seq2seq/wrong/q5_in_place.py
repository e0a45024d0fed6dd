"""The batch that was given is changed."""
# question: q5
# diagnosis: changed in place
def mask_words(ids, special, mask_id, vocabulary, generator):

    chosen = torch.rand(ids.shape, generator=generator) < 0.15
    chosen = chosen & ~special
    labels = ids.where(chosen, -100)
    fate = torch.rand(ids.shape, generator=generator)
    words = torch.randint(vocabulary, ids.shape, generator=generator)
    ids[chosen & (fate < 0.8)] = mask_id
    ids[chosen & (fate >= 0.9)] = words[chosen & (fate >= 0.9)]
    return ids, labels
