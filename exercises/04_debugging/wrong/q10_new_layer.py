"""Adds a layer: the checkpoint of Birch would not load."""
# question: q10
# diagnosis: its checkpoint would not load


class Repaired(Birch):
    def __init__(self):
        super().__init__()
        self.pool = nn.Linear(WIDTH, 1)

    def forward(self, ids):
        x = self.encoder(ids, padding=ids == 0)
        scores = self.pool(x)[..., 0].masked_fill(ids == 0, -1e9)
        return self.head((scores.softmax(1)[..., None] * x).sum(1))

class RepairedWriter(Elm):
    def forward(self, ids):
        later = torch.ones(ids.shape[1], ids.shape[1]).triu(1).bool()
        return self.head(self.encoder(ids, mask=later))
