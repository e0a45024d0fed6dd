"""Mends Birch and leaves the mask as it was."""
# question: q10
# diagnosis: the mask begins one step too late


class Repaired(Birch):
    def forward(self, ids):
        x = self.encoder(ids, padding=ids == 0)
        real = (ids != 0).unsqueeze(-1)
        return self.head((x * real).sum(1) / real.sum(1))

class RepairedWriter(Elm):
    pass
