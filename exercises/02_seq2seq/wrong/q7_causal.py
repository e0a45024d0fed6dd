"""A causal mask, as in self-attention, is put on top of the source."""
# question: q7
# diagnosis: A causal mask
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
        causal = torch.ones(x.shape[1], memory.shape[1]).tril().bool()
        mask = real[:, None, None, :] & causal
        mixed = attend(query, key, split(self.value(memory)), mask)
        return self.output(mixed.transpose(1, 2).flatten(2))
