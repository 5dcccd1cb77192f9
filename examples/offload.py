"""A model of your own on the accelerator's RTL: what it answers, and what every product costs."""

import systolith
import torch
from systolith.torch import offload

model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)).eval()
x = torch.randn(8, 64)

config = systolith.ArrayConfig(rows=4, columns=4)
with systolith.open_device("rtl", config) as device:
    offloaded = offload(model, device=device)
    with torch.inference_mode():
        error = (offloaded(x) - model(x)).abs().max()
    print(f"largest difference to float32: {error:.4f}")
    for record in device.trace:
        shape = f"{record.m}×{record.k}×{record.n}"
        print(f"{shape}: {record.cycles} cycles, {record.roofline_cycles} at the roofline")
