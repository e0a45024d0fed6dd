"""Labels first."""
# question: q5
# diagnosis: Swapped
def mask_words(ids, special, mask_id, vocabulary, generator):
    """BERT's inputs and labels, int64 [batch, length] each."""
    chosen = torch.rand(ids.shape, generator=generator) < 0.15
    chosen = chosen & ~special
    fate = torch.rand(ids.shape, generator=generator)
    words = torch.randint(vocabulary, ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.9), words, inputs)
    return torch.where(chosen, ids, -100), inputs
