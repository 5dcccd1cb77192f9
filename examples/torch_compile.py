"""torch.compile with the accelerator as its backend: any sequence length, and what runs where."""

import systolith
import torch
from systolith.torch import report
from torch import nn


class Classifier(nn.Module):
    """Attention written by hand, as no library would find it."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(100, 32)
        self.project = nn.Linear(32, 96)
        self.classify = nn.Linear(32, 4)

    def forward(self, ids):
        """Token ids (B, L) to scores (B, 4)."""
        q, k, v = self.project(self.embedding(ids)).chunk(3, dim=-1)
        scores = torch.einsum("bqd,bkd->bqk", q, k) / 32**0.5
        return self.classify((torch.softmax(scores, dim=-1) @ v).mean(dim=1))


model = Classifier().eval()
with systolith.open_device("rtl", systolith.ArrayConfig(rows=4, columns=4)) as device:
    compiled = torch.compile(model, backend="systolith", options={"device": device}, fullgraph=True)
    with torch.inference_mode():
        for length in (8, 12, 20):
            device.trace.clear()
            ids = torch.randint(100, (2, length))
            error = (compiled(ids) - model(ids)).abs().max()
            cycles = sum(record.cycles for record in device.trace)
            print(f"{length} tokens: {cycles} cycles, largest difference to float32 {error:.4f}")
    print(report(compiled))
