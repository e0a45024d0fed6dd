"""Classifies the first token, and drops the rest of the question."""
# question: q10
# diagnosis: it is not looked at


class Repaired(Birch):
    def forward(self, ids):
        return self.head(self.encoder.words(ids)[:, 0])

class RepairedWriter(Elm):
    def forward(self, ids):
        later = torch.ones(ids.shape[1], ids.shape[1]).triu(1).bool()
        return self.head(self.encoder(ids, mask=later))
