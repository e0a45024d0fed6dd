"""The last projection is left out."""
# question: q7
# diagnosis: The last projection is missing
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
        mixed = attend(query, key, split(self.value(memory)), real[:, None, None, :])
        return mixed.transpose(1, 2).flatten(2)
