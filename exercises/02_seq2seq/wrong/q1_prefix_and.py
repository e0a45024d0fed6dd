"""Inside the prefix, and before: the prefix takes away what it should add."""
# question: q1
# diagnosis: use or, not and
def attention_mask(lengths, kind, prefixes=None):
    positions = torch.arange(int(lengths.max()))
    target = positions[None, :, None]          # [1, target, 1]
    source = positions[None, None, :]          # [1, 1, source]
    lengths = lengths[:, None, None]           # [batch, 1, 1]
    seen = torch.ones_like(source + target, dtype=torch.bool)

    if kind != "full":
        seen = source <= target
    if kind == "prefix":
        seen = seen & (source < prefixes[:, None, None])
    return seen & (source < lengths)
