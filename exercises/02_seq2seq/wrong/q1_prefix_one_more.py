"""The prefix is one position too long."""
# question: q1
# diagnosis: Off by one: a prefix of 2 tokens
def attention_mask(lengths, kind, prefixes=None):
    """Who may attend to whom: bool, [batch, target, source]."""
    positions = torch.arange(int(lengths.max()))
    target = positions[None, :, None]          # [1, target, 1]
    source = positions[None, None, :]          # [1, 1, source]
    lengths = lengths[:, None, None]           # [batch, 1, 1]
    seen = torch.ones_like(source + target, dtype=torch.bool)
    if kind != "full":
        seen = source <= target
    if kind == "prefix":
        seen = seen | (source <= prefixes[:, None, None])
    return seen & (source < lengths)
