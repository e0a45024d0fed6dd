"""Keys and values from the decoder: self-attention."""
# question: q7
# diagnosis: both come from memory
class CrossAttention(nn.Module):
    """Multi-head attention of a decoder to the encoder's output."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x, memory, real):
        """[batch, target, width]"""
        def split(states):     # to [batch, heads, length, width of a head]
            return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        query, key = split(self.query(x)), split(self.key(x))
        value = split(self.value(x))
        mixed = attend(query, key, value, real[:, None, None, :])
        return self.output(mixed.transpose(1, 2).flatten(2))
