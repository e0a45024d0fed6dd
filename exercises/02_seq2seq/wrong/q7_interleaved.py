"""Head 0 has the numbers 0, 3, 6 and 9."""
# question: q7
# diagnosis: The heads are interleaved: 
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
            return states.unflatten(-1, (-1, self.heads)).permute(0, 3, 1, 2)

        query, key = split(self.query(x)), split(self.key(memory))
        value = split(self.value(memory))
        mixed = attend(query, key, value, real[:, None, None, :])
        return self.output(mixed.permute(0, 2, 3, 1).flatten(2))
