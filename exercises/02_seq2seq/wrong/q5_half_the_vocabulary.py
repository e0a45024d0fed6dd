"""The other words are the first half of the vocabulary."""
# question: q5
# diagnosis: a part of the vocabulary
def mask_words(ids, special, mask_id, vocabulary, generator):
    """BERT's inputs and labels, int64 [batch, length] each."""
    chosen = torch.rand(ids.shape, generator=generator) < 0.15
    chosen = chosen & ~special
    fate = torch.rand(ids.shape, generator=generator)
    words = torch.randint(vocabulary // 2, ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.9), words, inputs)
    return inputs, torch.where(chosen, ids, -100)
