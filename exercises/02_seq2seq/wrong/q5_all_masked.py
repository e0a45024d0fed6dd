"""All chosen tokens become [MASK]."""
# question: q5
# diagnosis: All chosen become [MASK]
def mask_words(ids, special, mask_id, vocabulary, generator):

    chosen = torch.rand(ids.shape, generator=generator) < 0.15
    chosen = chosen & ~special
    return ids.masked_fill(chosen, mask_id), ids.masked_fill(~chosen, -100)
