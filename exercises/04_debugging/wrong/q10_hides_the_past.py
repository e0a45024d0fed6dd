"""Hides the earlier tokens in place of the later ones."""
# question: q10
# diagnosis: hides what came before


class Repaired(Birch):
    def forward(self, ids):
        x = self.encoder(ids, padding=ids == 0)
        real = (ids != 0).unsqueeze(-1)
        return self.head((x * real).sum(1) / real.sum(1))

class RepairedWriter(Elm):
    def forward(self, ids):
        n = ids.shape[1]
        return self.head(self.encoder(ids, mask=~torch.eye(n, dtype=torch.bool)))
