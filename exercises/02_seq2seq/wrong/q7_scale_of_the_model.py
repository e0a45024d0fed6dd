"""Written out, with the square root of the width of the model."""
# question: q7
# diagnosis: The scale belongs to the width of a head
class CrossAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x, memory, real):
        def split(states):
            return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


        query, key = split(self.query(x)), split(self.key(memory))
        scores = query @ key.mT / math.sqrt(x.shape[-1])
        scores = scores.masked_fill(~real[:, None, None, :], -math.inf)
        mixed = scores.softmax(-1) @ split(self.value(memory))
        return self.output(mixed.transpose(1, 2).flatten(2))
