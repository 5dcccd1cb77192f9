"""Every operator that a compiled graph exchanges: shapes and options."""

import operator

import pytest
import torch
from sw.torch.compiled import check
from systolith.torch import report
from systolith.torch.operators import parse_einsum
from torch import nn
from torch.nn import functional

pytestmark = pytest.mark.usefixtures("fresh_dynamo")


class Given(nn.Module):
    """A function of a parameter and inputs."""

    def __init__(self, function, *size):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(*size))
        self.bias = nn.Parameter(torch.randn(size[0]))
        self.function = function

    def forward(self, *inputs):
        return self.function(self, *inputs)


WEIGHTS = {
    "linear": ((8, 24), lambda own, x: functional.linear(x, own.weight, own.bias)),
    "matmul": ((24, 8), lambda own, x: x @ own.weight),
    "linalg": ((24, 8), lambda own, x: torch.linalg.matmul(x, own.weight)),
    "in place": ((24, 24), lambda own, x: operator.imatmul(x, own.weight)),
    "method": ((24, 8), lambda own, x: x.matmul(own.weight)),
    "transposed": ((8, 24), lambda own, x: torch.matmul(x, own.weight.T)),
    "transposed twice": ((24, 8), lambda own, x: x @ own.weight.t().mT),
    "mm": ((24, 8), lambda own, x: torch.mm(x[0], own.weight)),
    "addmm": ((24, 24), lambda own, x: torch.addmm(own.bias, x[0], own.weight)),
    "rows": ((16, 24), lambda own, x: functional.linear(x, own.weight.chunk(2)[1])),
    "columns": ((24, 16), lambda own, x: x @ own.weight[:, 4:12]),
    "flattened rows": (
        (16, 24),
        lambda own, x: functional.linear(x, own.weight.view(-1)[48:].view(14, 24)),
    ),
    "split": ((24, 16), lambda own, x: x @ own.weight.split([6, 10], dim=1)[1]),
    "einsum": ((24, 8), lambda own, x: torch.einsum("bik,kn->bin", x, own.weight)),
    "einsum weight first": ((24, 8), lambda own, x: torch.einsum("kn,bik->bin", own.weight, x)),
    "einsum transposed": ((8, 24), lambda own, x: torch.einsum("bik,nk->bin", x, own.weight)),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_resident(golden, recorder, name):
    """The weight is packed when the graph is compiled, however it is looked at."""
    size, function = WEIGHTS[name]
    model = Given(function, *size)
    check(model, torch.randn(2, 5, 24), device=golden, verifier=recorder)
    recorder.check_with_oracle()
    (row,) = report(model).rows
    assert (row.place, row.why) == ("device", "weight packed once")


@pytest.mark.parametrize(
    "part",
    [
        lambda weight: weight.view(-1)[5 : 5 + 15 * 24].view(15, 24),
        lambda weight: weight.flatten()[5 : 5 + 15 * 24].view(15, 24),
        lambda weight: weight.view(-1)[24:].view(24, 15).t(),
    ],
    ids=["view", "flatten", "other rows"],
)
def test_not_rows_of_a_parameter(golden, part):
    """What of a parameter is no range of its rows is a product of two that are computed."""
    model = Given(lambda own, x: functional.linear(x, part(own.weight)), 16, 24)
    check(model, torch.randn(2, 5, 24), device=golden)
    (row,) = report(model).rows
    assert (row.place, row.why) == ("device", "both operands packed at every call")


PRODUCTS = {
    "matrices": (torch.matmul, (5, 24), (24, 7)),
    "vector left": (torch.matmul, (24,), (24, 7)),
    "vector right": (torch.matmul, (5, 24), (24,)),
    "vector left of batch": (torch.matmul, (24,), (3, 24, 7)),
    "vector right of batch": (torch.matmul, (3, 5, 24), (24,)),
    "batch": (torch.matmul, (3, 5, 24), (3, 24, 7)),
    "batch of one B": (torch.matmul, (2, 3, 5, 24), (24, 7)),
    "broadcast": (torch.matmul, (2, 1, 5, 24), (3, 24, 7)),
    "one A": (torch.matmul, (5, 24), (3, 24, 7)),
    "mm": (torch.mm, (5, 24), (24, 7)),
    "bmm": (torch.bmm, (3, 5, 24), (3, 24, 7)),
    "bmm method": (lambda a, b: a.bmm(b), (3, 5, 24), (3, 24, 7)),
    "operator": (lambda a, b: a @ b.mT, (3, 5, 24), (3, 7, 24)),
    "linear": (functional.linear, (3, 5, 24), (7, 24)),
    "linear of a vector": (functional.linear, (3, 5, 24), (24,)),
    "einsum": (lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b), (2, 3, 5, 24), (2, 3, 7, 24)),
    "einsum order": (lambda a, b: torch.einsum("bqhd,bkhd->qhkb", a, b), (2, 5, 3, 24), (2, 7, 3, 24)),
    "einsum two summed": (lambda a, b: torch.einsum("icd,cjd->ji", a, b), (5, 4, 6), (4, 7, 6)),
    "einsum implicit": (lambda a, b: torch.einsum("ij,jk", a, b), (5, 24), (24, 7)),
    "einsum list": (lambda a, b: torch.einsum("ij,jk->ik", [a, b]), (5, 24), (24, 7)),
    "einsum vector": (lambda a, b: torch.einsum("ij,j->i", a, b), (5, 24), (24,)),
    "einsum broadcast": (lambda a, b: torch.einsum("bij,bjk->bik", a, b), (4, 3, 8), (1, 8, 5)),
    "einsum broadcast K": (lambda a, b: torch.einsum("bij,bjk->bik", a, b), (1, 3, 1), (4, 8, 5)),
    "einsum scalar": (lambda a, b: torch.einsum("ij,ij->", a, b), (5, 24), (5, 24)),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_computed(golden, recorder, name):
    function, a, b = PRODUCTS[name]
    # one sign, so that a sum over few elements is far from zero
    check(
        lambda a, b: function(a, b) + 0, torch.rand(a) + 0.1, torch.rand(b) + 0.1,
        device=golden, verifier=recorder,
    )  # fmt: skip
    recorder.check_with_oracle()


@pytest.mark.parametrize("equation", ["bik,kn->bin", "kn,bik->bin"])
@pytest.mark.parametrize("lengths", [(24, 1), (1, 24)], ids=str)
def test_einsum_broadcasts_along_k(golden, equation, lengths):
    def function(own, x):
        operands = (x, own.weight) if equation[0] == "b" else (own.weight, x)
        return torch.einsum(equation, *operands)

    x_length, weight_length = lengths
    check(Given(function, weight_length, 8), torch.randn(2, 5, x_length), device=golden)


@pytest.mark.parametrize("options", [{}, {"alpha": 0.5}, {"beta": 2}, {"beta": 0, "alpha": 3}], ids=str)
def test_addmm(golden, options):
    x, a, b = torch.randn(5, 7), torch.randn(5, 24), torch.randn(24, 7)
    check(lambda x, a, b: torch.addmm(x, a, b, **options), x, a, b, device=golden)


@pytest.mark.parametrize("options", [{}, {"alpha": 0.5, "beta": 2}], ids=str)
def test_baddbmm(golden, options):
    x, a, b = torch.randn(3, 5, 7), torch.randn(3, 5, 24), torch.randn(3, 24, 7)
    check(lambda x, a, b: torch.baddbmm(x, a, b, **options), x, a, b, device=golden)


@pytest.mark.parametrize("shapes", [((0, 8), (8, 3)), ((2, 0), (0, 3)), ((2, 8), (8, 0))], ids=str)
def test_empty(golden, shapes):
    inputs = [torch.randn(shape) for shape in shapes]
    compiled = torch.compile(lambda a, b: (a @ b) * 2, backend="systolith", options={"device": golden})
    with torch.inference_mode():
        assert torch.equal(compiled(*inputs), inputs[0] @ inputs[1] * 2)
    assert len(golden.trace) == 0


@pytest.mark.parametrize(
    ("equation", "parsed"),
    [
        ("ij,jk->ik", ("ij", "jk", "ik")),
        (" i j , j k -> i k ", ("ij", "jk", "ik")),
        ("ij,jk", ("ij", "jk", "ik")),
        ("bij,bjk->bik", ("bij", "bjk", "bik")),
        ("ij,ij->", ("ij", "ij", "")),
        ("ii,ij->j", None),
        ("ij,jk->k", None),
        ("ij,kl->ijkl", None),
        ("...j,jk->...k", None),
        ("ij,jk,kl->il", None),
        ("ij->ji", None),
    ],
)
def test_parse_einsum(equation, parsed):
    assert parse_einsum(equation) == parsed
