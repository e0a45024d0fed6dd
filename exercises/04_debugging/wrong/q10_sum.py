"""Leaves padding out of the sum and divides by all positions."""
# question: q10
# diagnosis: the outputs differ


class Repaired(Birch):
    def forward(self, ids):
        x = self.encoder(ids, padding=ids == 0)
        return self.head((x * (ids != 0).unsqueeze(-1)).mean(1))

class RepairedWriter(Elm):
    def forward(self, ids):
        later = torch.ones(ids.shape[1], ids.shape[1]).triu(1).bool()
        return self.head(self.encoder(ids, mask=later))
