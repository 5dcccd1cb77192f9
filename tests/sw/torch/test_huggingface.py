"""Transformers' models, small and with random weights, through their attention interface."""

import pytest
import torch
import transformers
from sw.torch.conftest import cosine
from sw.torch.zoo import SIZES, gpt2, ids, llama, t5, vit, whisper
from systolith.torch import offload
from systolith.torch.huggingface import OffloadedConv1D, attend
from torch import nn


def bert(**options):
    return transformers.BertModel(transformers.BertConfig(**(SIZES | options)), add_pooling_layer=True).eval()


def test_bert(device, recorder):
    model = bert()
    converted = offload(model, device=device, verifier=recorder)
    assert converted.config._attn_implementation == "systolith"
    assert model.config._attn_implementation == "sdpa"
    tokens = ids()
    padding = torch.ones_like(tokens)
    padding[1, 6:] = 0
    with torch.inference_mode():
        ours = converted(input_ids=tokens, attention_mask=padding)
        wanted = model(input_ids=tokens, attention_mask=padding)
    kept = padding.bool()
    assert cosine(ours.last_hidden_state[kept], wanted.last_hidden_state[kept]) > 0.99
    assert cosine(ours.pooler_output, wanted.pooler_output) > 0.97
    recorder.check_with_oracle()
    # 2 layers of query, key, value, output, intermediate, output and two attention products; the pooler
    labels = [record.label for record in device.trace]
    assert len(labels) == 2 * 8 + 1
    assert labels[3:5] == ["encoder.layer.0.attention.self.qk", "encoder.layer.0.attention.self.pv"]
    assert labels[-1] == "pooler.dense"
    assert device.trace[3].macs == 2 * 4 * 9 * 9 * 8


def test_bert_padding_changes_nothing(golden):
    converted = offload(bert(), device=golden)
    tokens = ids(batch=1, length=6)
    padded = torch.cat([tokens, torch.zeros(1, 3, dtype=torch.int64)], dim=1)
    mask = (torch.arange(9) < 6).long()[None]
    with torch.inference_mode():
        short = converted(input_ids=tokens).last_hidden_state
        long = converted(input_ids=padded, attention_mask=mask).last_hidden_state[:, :6]
    assert cosine(short, long) > 0.999


def test_bert_attention_weights(golden):
    model = bert()
    converted = offload(model, device=golden)
    model.set_attn_implementation("eager")
    tokens = ids()
    with torch.inference_mode():
        ours = converted(input_ids=tokens, output_attentions=True).attentions
        wanted = model(input_ids=tokens, output_attentions=True).attentions
    assert [weights.shape for weights in ours] == [weights.shape for weights in wanted]
    for got, want in zip(ours, wanted, strict=True):
        assert cosine(got, want) > 0.99


@pytest.mark.parametrize("make", [gpt2, llama], ids=["gpt2", "llama"])
def test_decoder(device, recorder, make):
    model = make()
    converted = offload(model, device=device, verifier=recorder)
    tokens = ids()
    with torch.inference_mode():
        ours, wanted = converted(input_ids=tokens).logits, model(input_ids=tokens).logits
        # causal: what comes later does not matter
        prefix = converted(input_ids=tokens[:, :5]).logits
    assert cosine(ours, wanted) > 0.98
    assert cosine(prefix, ours[:, :5]) > 0.999
    recorder.check_with_oracle()
    assert sum(label.endswith((".qk", ".pv")) for label in recorder.products) == 4


def test_gpt2_conv1d(golden, recorder):
    converted = offload(gpt2(), device=golden, verifier=recorder)
    assert type(converted.transformer.h[0].attn.c_attn) is OffloadedConv1D
    with torch.inference_mode():
        converted(input_ids=ids())
    # c_attn, c_proj, two of the MLP and two products per layer, and the tied head
    assert len(recorder.products) == 2 * 6 + 1
    assert converted.lm_head.weight is converted.transformer.wte.weight


@pytest.mark.parametrize("make", [gpt2, llama], ids=["gpt2", "llama"])
def test_generate_with_cache(golden, recorder, make):
    converted = offload(make(), device=golden, verifier=recorder)
    tokens = ids(batch=2, length=5)
    with torch.inference_mode():
        generated = converted.generate(tokens, max_new_tokens=4, do_sample=False, pad_token_id=0)
        cached = converted(input_ids=generated[:, :-1]).logits[:, -1]
        step = converted(input_ids=generated[:, :-2], use_cache=True)
        last = converted(input_ids=generated[:, -2:-1], past_key_values=step.past_key_values).logits[:, -1]
    assert generated.shape[1] <= 9
    assert cosine(cached, last) > 0.99
    assert recorder.bit_exact


def test_llama_left_padding(golden):
    converted = offload(llama(), device=golden)
    tokens = ids(batch=1, length=5)
    padded = torch.cat([torch.zeros(1, 3, dtype=torch.int64), tokens], dim=1)
    mask = (torch.arange(8) >= 3).long()[None]
    with torch.inference_mode():
        short = converted(input_ids=tokens).logits[:, -1]
        positions = (mask.cumsum(-1) - 1).clamp_min(0)
        long = converted(input_ids=padded, attention_mask=mask, position_ids=positions).logits[:, -1]
    assert short.isfinite().all()
    assert cosine(short, long) > 0.99


def test_t5_position_bias(golden, recorder):
    model = t5()
    converted = offload(model, device=golden, verifier=recorder)
    inputs = {"input_ids": ids(), "decoder_input_ids": ids(length=4)}
    with torch.inference_mode():
        assert cosine(converted(**inputs).logits, model(**inputs).logits) > 0.99
    recorder.check_with_oracle()
    assert sum(label.endswith(".qk") for label in recorder.products) == 2 + 2 * 2


def test_vit_attends_in_both_directions(golden, recorder):
    model = vit()
    converted = offload(model, device=golden, verifier=recorder)
    image = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        ours, wanted = converted(image).last_hidden_state, model(image).last_hidden_state
    assert cosine(ours, wanted) > 0.99
    assert sum(label.endswith(".qk") for label in recorder.products) == 2


@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (t5, lambda: {"input_ids": ids(length=6)}),
        (whisper, lambda: {"input_features": torch.randn(2, 8, 24)}),
    ],
    ids=["t5", "whisper"],
)
def test_generate_from_an_encoder(golden, recorder, make, inputs):
    """Caches of the decoder's own attention and of that to the encoder."""
    model, given = make(), inputs()
    converted = offload(model, device=golden, verifier=recorder)
    start = torch.full((2, 1), model.config.decoder_start_token_id)
    with torch.inference_mode():
        step = converted(**given, decoder_input_ids=start, use_cache=True)
        following = ids(length=3)
        whole = model(**given, decoder_input_ids=torch.cat([start, following], dim=1)).logits
        for position in range(3):
            step = converted(
                **given,
                decoder_input_ids=following[:, position : position + 1],
                past_key_values=step.past_key_values,
            )
            assert cosine(step.logits[:, -1], whole[:, position + 1]) > 0.99
        generated = converted.generate(**given, max_new_tokens=3, do_sample=False)
    assert generated.shape[0] == 2
    assert recorder.bit_exact


def test_inside_another_module(golden, recorder):
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = bert()
            self.head = nn.Linear(32, 3)

        def forward(self, tokens):
            return self.head(self.body(input_ids=tokens).last_hidden_state[:, 0])

    model = Classifier().eval()
    converted = offload(model, device=golden, verifier=recorder)
    tokens = ids()
    with torch.inference_mode():
        assert cosine(converted(tokens), model(tokens)) > 0.98
    assert "body.encoder.layer.1.attention.self.pv" in recorder.products
    assert "head" in recorder.products


def test_state_dict_both_ways(golden):
    model, other = bert(), bert()
    converted = offload(model, device=golden)
    assert list(converted.state_dict()) == list(model.state_dict())
    tokens = ids()
    with torch.inference_mode():
        converted.load_state_dict(other.state_dict())
        ours = converted(input_ids=tokens).last_hidden_state
        wanted = offload(other, device=golden)(input_ids=tokens).last_hidden_state
    assert torch.equal(ours, wanted)


def test_inplace_failure_restores(golden):
    model = bert()
    with torch.no_grad():
        model.pooler.dense.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"^pooler\.dense\.weight holds NaN or infinity$"):
        offload(model, device=golden, inplace=True)
    assert model.config._attn_implementation == "sdpa"
    assert not any("_systolith" in module.__dict__ for module in model.modules())


def test_half_precision(golden):
    with pytest.raises(TypeError, match=r"must be torch\.float32, not torch\.bfloat16: convert the model"):
        offload(bert().bfloat16(), device=golden)


def test_shared_configuration_is_told(golden):
    config = transformers.BertConfig(**SIZES)
    first, second = transformers.BertModel(config).eval(), transformers.BertModel(config).eval()
    offload(first, device=golden, inplace=True)
    with pytest.raises(
        RuntimeError, match=r"^this BertSelfAttention was not offloaded, but shares its config"
    ):
        second(input_ids=ids())


def test_paged_cache_is_refused(golden):
    converted = offload(bert(), device=golden)
    module = converted.encoder.layer[0].attention.self
    q = torch.randn(1, 4, 3, 8)
    with pytest.raises(NotImplementedError, match=r"^paged key-value caches cannot be used"):
        attend(module, q, q, q, None, cache=object())
