"""A transformers model that nobody tuned for: attention, a key-value cache, and what runs where."""

import systolith
import torch
from systolith.torch import Verifier, offload, report
from transformers import GPT2Config, GPT2LMHeadModel

config = GPT2Config(
    n_embd=64, n_layer=2, n_head=4, vocab_size=100, n_positions=64, bos_token_id=0, eos_token_id=0
)
model = GPT2LMHeadModel(config).eval()
prompt = torch.randint(1, 100, (1, 8))
verifier = Verifier()

with systolith.open_device("rtl", systolith.ArrayConfig(rows=4, columns=4)) as device:
    offloaded = offload(model, device=device, verifier=verifier)
    with torch.inference_mode():
        print(report(offloaded, prompt))
        device.trace.clear()
        offloaded.generate(prompt, max_new_tokens=4, do_sample=False, pad_token_id=0)
    print(f"4 tokens in {sum(record.cycles for record in device.trace)} cycles")
    print(f"{verifier.checked} products, all exact: {verifier.bit_exact}")
