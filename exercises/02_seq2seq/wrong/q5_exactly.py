"""Exactly 15 % of each text."""
# question: q5
# diagnosis: nearly exactly
def mask_words(ids, special, mask_id, vocabulary, generator):
    """BERT's inputs and labels, int64 [batch, length] each."""
    order = torch.rand(ids.shape, generator=generator).masked_fill(special, 2)
    many = (0.15 * (~special).sum(1, keepdim=True)).round()
    chosen = order.argsort(1).argsort(1) < many
    fate = torch.rand(ids.shape, generator=generator)
    words = torch.randint(vocabulary, ids.shape, generator=generator)
    inputs = torch.where(chosen & (fate < 0.8), mask_id, ids)
    inputs = torch.where(chosen & (fate >= 0.9), words, inputs)
    return inputs, torch.where(chosen, ids, -100)
