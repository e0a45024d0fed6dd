"""The rows of padding are hidden instead of its columns."""
# question: q1
# diagnosis: The rows of padding are hidden
def attention_mask(lengths, kind, prefixes=None):
    positions = torch.arange(int(lengths.max()))
    target = positions[None, :, None]          # [1, target, 1]
    source = positions[None, None, :]          # [1, 1, source]
    lengths = lengths[:, None, None]           # [batch, 1, 1]
    seen = torch.ones_like(source + target, dtype=torch.bool)

    if kind != "full":
        seen = source <= target
    if kind == "prefix":
        seen = seen | (source < prefixes[:, None, None])
    return seen & (target < lengths)
