"""``torch.compile(model, backend="systolith")``: whole models."""

import pytest
import torch
from sw.torch.compiled import compile_whole
from sw.torch.conftest import cosine
from sw.torch.zoo import ZOO, bert, ids, llama, logits, padded
from systolith import open_device
from systolith.torch import calibrate, offload, report
from systolith.torch.backend import systolith
from systolith.torch.models import load_minilm, load_smollm2
from torch import nn

pytestmark = pytest.mark.usefixtures("fresh_dynamo")


@pytest.mark.parametrize("name", ZOO)
def test_zoo(golden, recorder, name):
    """One graph without breaks, close to float, the same bits as the offloaded model."""
    make, inputs = ZOO[name]
    model, given = make(), inputs()
    compiled = compile_whole(model, golden, verifier=recorder)
    with torch.inference_mode():
        ours, wanted = logits(compiled(**given)), logits(model(**given))
        labels = [record.label for record in golden.trace]
        offloaded = logits(offload(model, device=golden)(**given))
    assert cosine(ours, wanted) > 0.99
    assert torch.equal(ours, offloaded)
    assert labels == [record.label for record in list(golden.trace)[len(labels) :]]
    recorder.check_with_oracle()


@pytest.mark.slow
def test_minilm():
    """The real one, sentences of several lengths: no graph breaks, and a second graph for all the others."""
    model = load_minilm()
    graphs = []
    with open_device("golden") as device:

        def backend(graph_module, example_inputs):
            graphs.append(graph_module)
            return systolith(graph_module, example_inputs, options=options)

        options = {"device": device}
        compiled = torch.compile(model.encoder, backend=backend, fullgraph=True)
        for sentence in ("A kitten slept.", "The bank raised its interest rate.", "Money " * 30):
            ours, wanted = model.embed([sentence], encoder=compiled), model.embed([sentence])
            assert cosine(ours, wanted) > 0.99
        assert len(graphs) == 2
        told = report(model.encoder)
        assert told.host == ()
        assert len(told.device) == 6 * 7
        torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the conversion, if this is the first time
def test_smollm2():
    """The real one, prompt and a step with its cache: no graph breaks, the head on the device, too."""
    network = load_smollm2().network
    tokens = torch.tensor([[504, 2365, 6354, 16438, 690, 260, 23790]])
    with open_device("golden") as device, torch.inference_mode():
        compiled = compile_whole(network, device)
        step = compiled(input_ids=tokens[:, :-1], use_cache=True)
        last = compiled(input_ids=tokens[:, -1:], past_key_values=step.past_key_values).logits
        wanted = network(input_ids=tokens).logits
        assert cosine(step.logits, wanted[:, :-1]) > 0.99
        assert cosine(last, wanted[:, -1:]) > 0.99
        told = report(network)
        assert told.host == ()
        assert {row.where for row in told.device} >= {"lm_head", "model.layers.29.self_attn"}
        torch._dynamo.reset()


@pytest.mark.slow
def test_rtl(open_shared, device):
    model, given = bert(), padded()
    with torch.inference_mode():
        ours = compile_whole(model, device)(**given).last_hidden_state
        wanted = compile_whole(model, open_shared("golden", device.config))(**given).last_hidden_state
    assert torch.equal(ours, wanted)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_grad_modes(golden, mode):
    model = bert()
    compiled = compile_whole(model, golden)
    given = padded()
    with mode():
        assert cosine(logits(compiled(**given)), logits(model(**given))) > 0.99


def test_backward_is_refused(golden):
    compiled = compile_whole(nn.Linear(4, 4), golden)
    with pytest.raises(RuntimeError, match=r"has no gradient: offloaded models are for inference$"):
        compiled(torch.randn(2, 4)).sum().backward()


def test_what_nobody_reads_runs(golden):
    """Writes in place, whose results are not used, such as those of a cache."""

    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)
            self.register_buffer("calls", torch.zeros(4))

        def forward(self, x, cache):
            self.calls.add_(1)
            y = self.linear(x)
            torch.add(self.calls, 0, out=cache)
            cache.index_copy_(0, torch.tensor([1]), y[0, :1].detach())
            return y

    model, cache = Writes(), torch.zeros(4)
    compiled = torch.compile(model, backend="systolith", options={"device": golden})
    with torch.no_grad():
        for count in (1, 2):
            y = compiled(torch.randn(2, 4), cache)
            assert torch.equal(model.calls, torch.full((4,), float(count)))
            assert cache.tolist() == [count, y[0, 0], count, count]


def test_vmap(golden):
    """Under a transform, tensors are not what they seem."""
    model = nn.Linear(4, 4)
    compiled = torch.compile(
        lambda x, y: (torch.vmap(torch.matmul)(x, y), model(x[0])),
        backend="systolith",
        options={"device": golden},
        fullgraph=True,
    )
    x, y = torch.randn(3, 2, 4), torch.randn(3, 4, 5)
    with torch.inference_mode():
        product, result = compiled(x, y)
        assert torch.equal(product, torch.vmap(torch.matmul)(x, y))
        assert cosine(result, model(x[0])) > 0.99
    assert [row.why for row in report(model).host] == ["under a transform such as torch.vmap"]
    assert len(golden.trace) == 1


def test_scheme(golden):
    """Scales that are known beforehand, found with the offloaded model, whose layers have the same labels."""
    model, given = bert(), padded()
    with torch.inference_mode():
        scheme = calibrate(model, lambda copied: copied(**given), device=golden).scheme(tolerance=None)
        assert len(scheme.limits) == 2 * 6
        ours = logits(compile_whole(model, golden, scheme=scheme)(**given))
        wanted = logits(offload(model, device=golden, scheme=scheme)(**given))
        other = logits(offload(model, device=golden)(**given))
    assert torch.equal(ours, wanted)
    assert not torch.allclose(ours, other, atol=1e-5)


@pytest.mark.filterwarnings("ignore:a compiled graph has nothing to run on the device")
@pytest.mark.parametrize("backend", ["eager", "systolith"])
def test_offloaded_model(golden, backend):
    """Whoever compiles an offloaded model compiles what it leaves to the host."""
    model, given = bert(), padded()
    offloaded = offload(model, device=golden)
    options = {"device": golden} if backend == "systolith" else None
    with torch.inference_mode():
        compiled = torch.compile(offloaded, backend=backend, options=options)
        assert torch.equal(logits(compiled(**given)), logits(offloaded(**given)))


def test_cache(golden, recorder):
    """Generation with a key-value cache that grows."""
    model = llama()
    compiled = torch.compile(model, backend="systolith", options={"device": golden, "verifier": recorder})
    tokens = ids(batch=2, length=7)
    with torch.inference_mode():
        whole = compiled(input_ids=tokens).logits
        step = compiled(input_ids=tokens[:, :4], use_cache=True)
        for position in range(4, 7):
            cache = step.past_key_values
            step = compiled(input_ids=tokens[:, position : position + 1], past_key_values=cache)
            assert cosine(step.logits[:, -1], whole[:, position]) > 0.99
    assert recorder.bit_exact


def test_report(golden):
    make, inputs = ZOO["vit"]
    compiled = compile_whole(make(), golden)
    with pytest.raises(ValueError, match=r"^this OptimizedModule is neither offloaded nor compiled with"):
        report(compiled)
    with torch.inference_mode():
        compiled(**inputs())
    told = report(compiled)
    (row,) = told.host
    assert row == ("embeddings.patch_embeddings.projection.conv2d", "conv2d", "host", "a convolution", None)
    assert {row.what for row in told.device} == {"linear", "scaled_dot_product_attention"}
    assert len(told.device) == 2 * 7
    with pytest.raises(TypeError, match=r"takes no inputs: call the model before$"):
        report(compiled, **inputs())


@pytest.mark.parametrize("name", ["bert", "llama"])
def test_dynamic(golden, name):
    """Told from the begin that sizes will change."""
    make, _ = ZOO[name]
    model = make()
    compiled = torch.compile(
        model, backend="systolith", options={"device": golden}, fullgraph=True, dynamic=True
    )
    with torch.inference_mode():
        for length in (9, 4):
            given = padded(length=length)
            assert cosine(logits(compiled(**given)), logits(model(**given))) > 0.99


def test_eager_attention(golden):
    """Products that a model writes out itself."""
    model = bert()
    model.set_attn_implementation("eager")
    compiled, given = compile_whole(model, golden), padded()
    with torch.inference_mode():
        assert cosine(logits(compiled(**given)), logits(model(**given))) > 0.99
    labels = [record.label for record in golden.trace]
    assert labels[3:5] == ["encoder.layer.0.attention.self.matmul", "encoder.layer.0.attention.self.matmul.2"]
    assert len(labels) == 2 * 8


def test_generate(golden, recorder):
    """A model compiled in place, whose other methods call it."""
    model = llama()
    tokens = ids(batch=2, length=5)
    with torch.inference_mode():
        wanted = offload(model, device=golden).generate(
            tokens, max_new_tokens=4, do_sample=False, pad_token_id=0
        )
        model.forward = torch.compile(
            model.forward, backend="systolith", options={"device": golden, "verifier": recorder}
        )
        ours = model.generate(tokens, max_new_tokens=4, do_sample=False, pad_token_id=0)
    assert torch.equal(ours, wanted)
    assert recorder.bit_exact
    assert report(model).host == ()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
def test_nested(golden):
    """An encoder that packs padded sequences: they stay on the host, or come as padded ones."""
    layer = nn.TransformerEncoderLayer(32, 4, 48, batch_first=True)
    model = nn.TransformerEncoder(layer, 1, enable_nested_tensor=True).eval()
    compiled = torch.compile(model, backend="systolith", options={"device": golden})
    padding = torch.arange(9).expand(2, 9) >= torch.tensor([[9], [6]])
    x = torch.randn(2, 9, 32)
    with torch.inference_mode():
        ours = compiled(x, src_key_padding_mask=padding)
        wanted = model(x, src_key_padding_mask=padding)
    assert cosine(ours[~padding], wanted[~padding]) > 0.99
