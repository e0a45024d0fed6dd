"""10 % of what is left after the 80 %, which is 2 %."""
# question: q5
# diagnosis: not of the remaining 20 %
def mask_words(ids, special, mask_id, vocabulary, generator):

    def draw():
        return torch.rand(ids.shape, generator=generator)

    chosen = (draw() < 0.15) & ~special
    masked = chosen & (draw() < 0.8)
    other = chosen & ~masked & (draw() < 0.1)
    words = torch.randint(vocabulary, ids.shape, generator=generator)
    inputs = ids.where(~masked, mask_id).where(~other, words)
    return inputs, ids.where(chosen, -100)
