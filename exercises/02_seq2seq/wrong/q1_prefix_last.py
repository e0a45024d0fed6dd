"""Padding is hidden first, and a long prefix brings it back."""
# question: q1
# diagnosis: hide padding last
def attention_mask(lengths, kind, prefixes=None):
    positions = torch.arange(int(lengths.max()))
    target = positions[None, :, None]          # [1, target, 1]
    source = positions[None, None, :]          # [1, 1, source]
    lengths = lengths[:, None, None]           # [batch, 1, 1]
    seen = torch.ones_like(source + target, dtype=torch.bool)

    if kind != "full":
        seen = source <= target
    seen = seen & (source < lengths)
    if kind == "prefix":
        seen = seen | (source < prefixes[:, None, None])
    return seen
