"""[CLS], [SEP] and padding are chosen like words."""
# question: q5
# diagnosis: A special token was chosen
def mask_words(ids, special, mask_id, vocabulary, generator):

    chosen = torch.rand(ids.shape, generator=generator) < 0.15
    fate = torch.rand(ids.shape, generator=generator)
    words = torch.randint(vocabulary, ids.shape, generator=generator)
    inputs = ids.where(~(chosen & (fate < 0.8)), mask_id)
    inputs = inputs.where(~(chosen & (fate >= 0.9)), words)
    return inputs, ids.where(chosen, -100)
