"""How closeness is measured: against transformers' own loss, and where the answer is known."""

import math
import types

import pytest
import torch
import transformers
from systolith.torch.evaluation import compare_language, compare_sentences, embed_in_batches, windows
from systolith.torch.models import LanguageModel


@pytest.fixture
def language():
    """Four hundred parameters or so that know nothing, and half of them again."""
    config = transformers.LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
    )
    network, other = (transformers.LlamaForCausalLM(config).eval() for _ in range(2))
    # sharper than random initialization is
    for each in (network, other):
        each.lm_head.weight.data.mul_(50)
    model = LanguageModel(name="small", network=network, tokenizer=None, max_tokens=64)
    return model, other


def ids(count):
    return torch.randint(0, 50, (count,)).tolist()


def loss(network, part):
    tokens = torch.tensor([part])
    with torch.inference_mode():
        return network(input_ids=tokens, labels=tokens).loss.item()


def test_language(language):
    model, other = language
    parts = windows(ids(70), 30)
    assert [len(part) for part in parts] == [30, 30, 10]
    told = []
    score = compare_language(model, other, parts, progress=told.append)
    assert told == [1, 2, 3]
    assert score.predicted_tokens == 67

    def perplexity(network):
        return math.exp(sum(loss(network, part) * (len(part) - 1) for part in parts) / 67)

    assert score.perplexity == pytest.approx(perplexity(other), rel=1e-5)
    assert score.perplexity_float32 == pytest.approx(perplexity(model.network), rel=1e-5)
    assert score.perplexity_ratio == pytest.approx(perplexity(other) / perplexity(model.network), rel=1e-5)
    assert score.top1_agreement < 0.5


def test_language_with_itself(language):
    model, _ = language
    score = compare_language(model, model.network, [ids(20)])
    assert (score.perplexity_ratio, score.top1_agreement) == (1.0, 1.0)


def test_windows():
    assert windows([1, 2], 2) == [[1, 2]]
    assert windows([1, 2, 3], 2) == [[1, 2]]  # the third alone predicts nothing
    assert windows([1, 2, 3, 4], 3) == [[1, 2, 3]]
    assert windows([1, 2, 3, 4, 5], 3) == [[1, 2, 3], [4, 5]]
    with pytest.raises(ValueError, match=r"^a text must have at least 2 tokens to be predicted, not 1$"):
        windows([1], 2)


def sentences(vectors, ours):
    """A model whose embeddings are given, and another's beside."""

    def embed(texts, *, encoder=None):
        return torch.stack([(vectors if encoder is None else ours)[text] for text in texts])

    return types.SimpleNamespace(embed=embed)


def unit(degrees):
    return torch.tensor([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))])


def test_sentences():
    """Three on a circle, one of which is turned until another is nearer to it."""
    wanted = {"a": unit(0), "b": unit(50), "c": unit(110)}
    turned = {"a": unit(0), "b": unit(60), "c": unit(110)}
    model = sentences(wanted, turned)
    score = compare_sentences(model, object(), ["a", "b", "c"])
    assert score.sentences == 3
    assert score.cosine_min == pytest.approx(math.cos(math.radians(10)))
    assert score.cosine_mean == pytest.approx((2 + math.cos(math.radians(10))) / 3)
    assert score.top1_agreement == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match=r"^a text must have at least 2 sentences to be compared, not 1$"):
        compare_sentences(model, object(), ["a"])


def test_batches():
    vectors = {str(index): unit(index) for index in range(37)}
    told = []
    embeddings = embed_in_batches(sentences(vectors, {}), list(vectors), progress=told.append)
    assert torch.equal(embeddings, torch.stack(list(vectors.values())))
    assert told == [1, 2, 3]
