"""The heads are forgotten."""
# question: q7
# diagnosis: Only one head
class CrossAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x, memory, real):
        query, key = self.query(x)[:, None], self.key(memory)[:, None]
        value = self.value(memory)[:, None]
        mixed = attend(query, key, value, real[:, None, None, :])
        return self.output(mixed[:, 0])
