"""The heads are split by a reshape, which cuts the text and not the width."""
# question: q7
# diagnosis: The heads are split by a reshape alone
class CrossAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x, memory, real):
        batch, heads = len(x), self.heads
        query = self.query(x).reshape(batch, heads, x.shape[1], -1)
        key = self.key(memory).reshape(batch, heads, memory.shape[1], -1)
        value = self.value(memory).reshape(batch, heads, memory.shape[1], -1)
        mixed = attend(query, key, value, real[:, None, None, :])
        return self.output(mixed.reshape(x.shape))
