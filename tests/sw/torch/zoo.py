"""Small models of many kinds with random weights, and inputs for them: none of them was tuned for."""

import torch
import transformers
from torch import nn

VOCABULARY = 60

SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
}


def ids(batch=2, length=9):
    return torch.randint(1, VOCABULARY, (batch, length))


def padded(batch=2, length=9):
    """Token ids of which the last sequence is three shorter, and their mask."""
    mask = torch.ones(batch, length, dtype=torch.int64)
    mask[-1, -3:] = 0
    return {"input_ids": ids(batch, length), "attention_mask": mask}


def bert():
    return transformers.BertModel(transformers.BertConfig(**SIZES), add_pooling_layer=False).eval()


def gpt2():
    config = transformers.GPT2Config(
        n_embd=32, n_layer=2, n_head=4, vocab_size=VOCABULARY, n_positions=64, bos_token_id=0, eos_token_id=0
    )
    return transformers.GPT2LMHeadModel(config).eval()


def llama(**options):
    config = transformers.LlamaConfig(**(SIZES | {"num_key_value_heads": 2} | options))
    return transformers.LlamaForCausalLM(config).eval()


def t5():
    config = transformers.T5Config(
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        vocab_size=VOCABULARY,
        decoder_start_token_id=0,
    )
    return transformers.T5ForConditionalGeneration(config).eval()


def vit():
    options = {name: SIZES[name] for name in SIZES if name[:3] not in ("voc", "max")}
    config = transformers.ViTConfig(**options, image_size=16, patch_size=8)
    return transformers.ViTModel(config, add_pooling_layer=False).eval()


def whisper():
    config = transformers.WhisperConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        vocab_size=VOCABULARY,
        num_mel_bins=8,
        max_source_positions=12,
        max_target_positions=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    return transformers.WhisperForConditionalGeneration(config).eval()


def encoder():
    layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()


def logits(output):
    """What a model says, whatever it calls it."""
    if isinstance(output, torch.Tensor):
        return output
    return output.logits if "logits" in output else output.last_hidden_state


ZOO = {
    "bert": (bert, padded),
    "gpt2": (gpt2, padded),
    "llama": (llama, padded),
    "t5": (t5, lambda: {**padded(), "decoder_input_ids": ids(length=4)}),
    "vit": (vit, lambda: {"pixel_values": torch.randn(2, 3, 16, 16)}),
    "whisper": (
        whisper,
        lambda: {"input_features": torch.randn(2, 8, 24), "decoder_input_ids": ids(length=4)},
    ),
    "encoder": (encoder, lambda: {"src": torch.randn(2, 9, 32)}),
}
"""Name to what makes the model and what makes its keyword arguments."""
