"""What of a compiled graph stays on the host, and what is told of it."""

import pytest
import torch
from functorch.experimental.control_flow import map as map_rows
from systolith.torch import report
from torch import nn
from torch.nn.attention.flex_attention import flex_attention
from torch.utils.checkpoint import checkpoint

OTHER = "no operator that is offloaded"


pytestmark = pytest.mark.usefixtures("fresh_dynamo")


@pytest.mark.parametrize(
    ("function", "shapes", "kind", "why"),
    [
        (torch.matmul, [(24,), (24,)], "matmul", "a product of two vectors"),
        (torch.matmul, [(5, 1), (1, 7)], "matmul", "an outer product: nothing is summed"),
        (
            lambda a, b: torch.einsum("ab,bc->abc", a, b),
            [(5, 6), (6, 7)],
            "einsum",
            "'ab,bc->abc' is not one product of two operands",
        ),
        (torch.conv1d, [(1, 3, 9), (2, 3, 4)], "conv1d", "a convolution"),
        (
            lambda a, b: torch.mm(a, b, out=torch.empty(3, 5)),
            [(3, 4), (4, 5)],
            "mm",
            "the argument out is not known",
        ),
        (
            lambda a, b: torch.mm(a.int(), b.int()),
            [(3, 4), (4, 5)],
            "mm",
            "its result is int32, not float32",
        ),
        (torch.tensordot, [(3, 4, 5), (4, 5, 6)], "tensordot", OTHER),
        (torch.mv, [(3, 4), (4,)], "mv", OTHER),
        (lambda x, a, b: x.addmv(a, b), [(3,), (3, 4), (4,)], "addmv", OTHER),
        (lambda x, a, b: x.clone().addmm_(a, b), [(3, 5), (3, 4), (4, 5)], "addmm_", OTHER),
        (torch.addbmm, [(3, 5), (2, 3, 4), (2, 4, 5)], "addbmm", OTHER),
        (torch.rnn_relu_cell, [(2, 4), (2, 3), (3, 4), (3, 3)], "rnn_relu_cell", OTHER),
        (lambda *inputs: torch.lstm_cell(inputs[0], inputs[1:3], *inputs[3:])[0],
         [(2, 4), (2, 3), (2, 3), (12, 4), (12, 3)], "lstm_cell", OTHER),
        (lambda a: torch.linalg.matrix_power(a, 3), [(4, 4)], "linalg_matrix_power", OTHER),
        (torch.ops.aten.mm.default, [(3, 4), (4, 5)], "mm", OTHER),
        (
            lambda a, b: torch.bmm(a.double(), b.double()),
            [(2, 3, 4), (2, 4, 5)],
            "bmm",
            "its result is float64, not float32",
        ),
    ],
    ids=[
        "vectors", "outer", "einsum", "convolution", "out", "integers", "tensordot", "mv", "addmv", "addmm_",
        "addbmm", "cell", "lstm cell", "power", "aten", "double",
    ],
)  # fmt: skip
def test_host(golden, function, shapes, kind, why):
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x, *inputs):
            return self.linear(x), function(*inputs)

    model = Mixed()
    inputs = [torch.randn(shape) for shape in shapes]
    compiled = torch.compile(model, backend="systolith", options={"device": golden}, fullgraph=True)
    with torch.inference_mode():
        _, ours = compiled(torch.randn(2, 4), *inputs)
    assert torch.equal(ours, function(*inputs))
    (row,) = report(compiled).host
    assert (row.what, row.why) == (kind, why)
    assert [record.label for record in golden.trace] == ["linear"]


def test_autocast(golden):
    """What torch computes in half precision stays where it is."""
    model = nn.Linear(8, 4)
    compiled = torch.compile(model, backend="systolith", options={"device": golden})
    x = torch.randn(2, 8)
    why = r"linear \(its result is bfloat16, not float32\)$"
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), pytest.warns(UserWarning, match=why):
        assert torch.equal(compiled(x), model(x))


def multiply(x):
    return x @ x


def checkpointed(x):
    return checkpoint(multiply, x, use_reentrant=False)


def branched(x):
    return torch.cond(x.sum() > 0, multiply, torch.sin, (x,))


def mapped(x):
    return map_rows(multiply, x.expand(2, -1, -1))


def flexible(x):
    x = x.expand(1, 1, -1, -1)
    return flex_attention(x, x, x)


ENCLOSED = "its products are in a graph of their own, which is left as it is"


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    ("function", "kind", "why"),
    [
        (checkpointed, "tag_activation_checkpoint", ENCLOSED),
        (branched, "cond", ENCLOSED),
        (mapped, "map_impl", ENCLOSED),
        (flexible, "flex_attention", OTHER),
    ],
)
def test_enclosed(golden, function, kind, why, nested):
    """What is in a graph of its own is not overlooked, however deep."""

    def run(x):
        return checkpoint(function, x, use_reentrant=False) if nested else function(x)

    model = nn.Linear(4, 4)
    compiled = torch.compile(
        lambda x: (model(x), run(x)), backend="systolith", options={"device": golden}, fullgraph=True
    )
    x = torch.randn(4, 4)
    with torch.no_grad():
        _, ours = compiled(x)
    torch.testing.assert_close(ours, function(x))
    (row,) = report(model).host
    assert (row.what, row.why) == (("tag_activation_checkpoint", ENCLOSED) if nested else (kind, why))


def test_enclosed_alone(golden):
    """A graph that multiplies matrices in one of its own is not said to multiply none."""
    compiled = torch.compile(checkpointed, backend="systolith", options={"device": golden})
    with torch.no_grad(), pytest.warns(UserWarning, match=rf"tag_activation_checkpoint \({ENCLOSED}\)$"):
        compiled(torch.randn(4, 4))


def test_enclosed_nothing(golden):
    """A graph of its own in which nothing is multiplied is no matter."""
    model = nn.Linear(4, 4)
    compiled = torch.compile(
        lambda x: checkpoint(torch.sin, model(x), use_reentrant=False),
        backend="systolith",
        options={"device": golden},
    )
    with torch.no_grad():
        compiled(torch.randn(4, 4))
    assert report(model).host == ()
