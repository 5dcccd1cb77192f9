"""The accelerator through torchao's quantize_, for a model of int8 weights and for a float one."""

import copy

import systolith
import torch
from systolith.torch.torchao import SystolithConfig
from torchao.quantization import Int8WeightOnlyConfig, quantize_

model = torch.nn.Sequential(torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10)).eval()
quantized = copy.deepcopy(model)
quantize_(quantized, Int8WeightOnlyConfig())
x = torch.randn(8, 64)

with systolith.open_device("rtl", systolith.ArrayConfig(rows=4, columns=4)) as device, torch.inference_mode():
    wanted = model(x)
    for name, converted in (("float32", model), ("torchao's int8", quantized)):
        device.trace.clear()
        quantize_(converted, SystolithConfig(device=device))
        error = (converted(x) - wanted).abs().max()
        cycles = sum(record.cycles for record in device.trace)
        print(f"from {name}: {cycles} cycles, largest difference to float32 {error:.4f}")
