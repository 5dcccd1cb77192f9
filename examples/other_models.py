"""Models of many kinds, small and with random weights, through both doors: the table of docs/models.md."""

import systolith
import torch
import transformers
from systolith.torch import Verifier, offload, report
from torch import nn

SIZES = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256}
TEXT = {"vocab_size": 500, "max_position_embeddings": 64}
IDS = torch.arange(1, 33).view(2, 16)
MASK = (torch.arange(16) < torch.tensor([[16], [11]])).long()


def models():
    """Name, model and inputs of each."""
    torch.manual_seed(0)
    text = {"input_ids": IDS, "attention_mask": MASK}
    yield "BERT", transformers.BertModel(transformers.BertConfig(**SIZES, **TEXT)), text
    gpt2 = transformers.GPT2Config(
        n_embd=128, n_layer=2, n_head=4, vocab_size=500, n_positions=64, bos_token_id=0, eos_token_id=0
    )
    yield "GPT-2", transformers.GPT2LMHeadModel(gpt2), text
    llama = transformers.LlamaConfig(**SIZES, **TEXT, num_key_value_heads=2)
    yield "Llama (grouped queries)", transformers.LlamaForCausalLM(llama), text
    mixtral = transformers.MixtralConfig(**SIZES, **TEXT, num_key_value_heads=2, num_local_experts=4)
    yield "Mixtral (experts)", transformers.MixtralForCausalLM(mixtral), text
    gptj = transformers.GPTJConfig(
        n_embd=128,
        n_layer=2,
        n_head=4,
        n_positions=64,
        rotary_dim=16,
        vocab_size=500,
        bos_token_id=0,
        eos_token_id=0,
    )
    yield "GPT-J (attention of its own)", transformers.GPTJForCausalLM(gptj), text
    t5 = transformers.T5Config(d_model=128, d_kv=32, d_ff=256, num_layers=2, num_heads=4, vocab_size=500)
    yield "T5", transformers.T5ForConditionalGeneration(t5), {**text, "decoder_input_ids": IDS[:, :4]}
    vit = transformers.ViTConfig(**SIZES, image_size=32, patch_size=8)
    yield "ViT", transformers.ViTModel(vit), {"pixel_values": torch.randn(2, 3, 32, 32)}
    whisper = transformers.WhisperConfig(
        d_model=128,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=256,
        decoder_ffn_dim=256,
        vocab_size=500,
        num_mel_bins=16,
        max_source_positions=32,
        max_target_positions=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    speech = {"input_features": torch.randn(2, 16, 64), "decoder_input_ids": IDS[:, :4]}
    yield "Whisper", transformers.WhisperForConditionalGeneration(whisper), speech
    layer = nn.TransformerEncoderLayer(128, 4, 256, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    yield "nn.TransformerEncoder", encoder, {"src": torch.randn(2, 16, 128)}


def tensor(output):
    """Logits or hidden states, whatever the model calls them."""
    if isinstance(output, torch.Tensor):
        return output
    return output.logits if "logits" in output else output.last_hidden_state


def kinds(rows):
    """What stays on the host."""
    return ", ".join(sorted({row.what for row in rows})) or "–"


print(
    "| model | multiply-accumulates | on the device by `offload` | on the host by `offload` "
    "| on the host by `torch.compile` | cycles | cosine to float32 |"
)
print("| --- | ---: | ---: | --- | --- | ---: | ---: |")
zoo = list(models())
with systolith.open_device("model") as device, torch.inference_mode():
    for name, model, inputs in zoo:
        verifier = Verifier()
        wanted = tensor(model.eval()(**inputs))
        offloaded = offload(model, device=device, verifier=verifier)
        told = report(offloaded, **inputs)
        macs = sum(row.macs for row in told.rows)

        options = {"device": device, "verifier": verifier}
        compiled = torch.compile(model, backend="systolith", options=options, fullgraph=True)
        device.trace.clear()
        ours = tensor(compiled(**inputs))
        cycles = sum(record.cycles for record in device.trace)
        cosine = torch.nn.functional.cosine_similarity(ours.flatten(), wanted.flatten(), dim=0)
        if not verifier.bit_exact:
            raise SystemExit(f"{name}: {verifier.mismatches[0]}")
        print(
            f"| {name} | {macs:,} | {told.device_share:.1%} | {kinds(told.host)} "
            f"| {kinds(report(model).host)} | {cycles:,} | {cosine:.4f} |"
        )
