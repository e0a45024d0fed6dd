"""The padding of the source is not hidden."""
# question: q7
# diagnosis: The padding of the source is seen
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
        everything = torch.ones(1, 1, 1, 1, dtype=torch.bool)
        mixed = attend(query, key, split(self.value(memory)), everything)
        return self.output(mixed.transpose(1, 2).flatten(2))
