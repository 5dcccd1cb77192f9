"""Offloaded layers whose weights change: what is packed again, when, and where."""

import copy

import numpy as np
import pytest
import torch
from sw.torch.conftest import cosine
from systolith import open_device
from systolith.torch import offload, repack
from torch import nn

PACKED = "weight packed once"


def small_model():
    return nn.Sequential(nn.Linear(24, 40), nn.ReLU(), nn.Linear(40, 10, bias=False)).eval()


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(64, 16)
        self.body = nn.Linear(16, 16)
        self.head = nn.Linear(16, 64, bias=False)
        self.other_head = nn.Linear(16, 64)
        self.head.weight = self.embedding.weight
        self.other_head.weight = self.embedding.weight

    def forward(self, ids):
        x = self.body(self.embedding(ids))
        return self.head(x) + self.other_head(x)


def test_tied_weights_are_packed_once(golden):
    free = golden.free_bytes
    model = Tied().eval()
    converted = offload(model, device=golden)
    assert converted.head.weight is converted.embedding.weight
    row = max(16, golden.config.bus_bytes)
    assert free - golden.free_bytes == (64 + 16) * row
    ids = torch.arange(6)
    with torch.inference_mode():
        assert cosine(converted(ids), model(ids)) > 0.99
        converted.load_state_dict(Tied().state_dict())
        converted(ids)
    site, other = converted.head._systolith, converted.other_head._systolith
    assert site.hold(converted.head.weight) is other.hold(converted.head.weight)


def test_state_dict_both_ways(device):
    model, other = small_model(), small_model()
    converted = offload(model, device=device)
    state = converted.state_dict()
    assert list(state) == list(model.state_dict())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    small_model().load_state_dict(state)

    x = torch.randn(3, 24)
    with torch.inference_mode():
        before = converted(x)
        converted.load_state_dict(other.state_dict())
        after = converted(x)
        assert not torch.equal(after, before)
        assert torch.equal(after, offload(other, device=device)(x))
        converted.load_state_dict(model.state_dict(), assign=True)
        assert torch.equal(converted(x), before)


@pytest.mark.parametrize(
    "change",
    [
        lambda linear: linear.weight.mul_(-1),
        lambda linear: setattr(linear.weight, "data", -linear.weight.data),
        lambda linear: setattr(linear, "weight", nn.Parameter(-linear.weight)),
    ],
    ids=["in place", "data", "parameter"],
)
def test_changed_weight_is_packed_again(golden, change):
    model = offload(nn.Linear(8, 8, bias=False), device=golden)
    x = torch.randn(2, 8)
    with torch.no_grad():
        before = model(x)
        change(model)
        assert torch.equal(model(x), -before)


@pytest.mark.parametrize(
    "change",
    [
        lambda weight: weight.data.mul_(-1),
        lambda weight: weight.detach().mul_(-1),
        lambda weight: np.negative(weight.detach().numpy(), out=weight.detach().numpy()),
    ],
    ids=["data", "detached", "numpy"],
)
def test_repack(golden, change):
    """What torch does not tell of a weight, for whoever shares it."""
    model = offload(Tied(), device=golden)
    ids = torch.arange(3)
    with torch.no_grad():
        free = golden.free_bytes
        before = model(ids)
        change(model.head.weight)
        repack(model.head)
        after = model(ids)
        assert not torch.equal(after, before)
        reference = copy.deepcopy(model)
        assert torch.equal(after, reference(ids))
        del reference
        workspace = sum(1 for _ in golden.idle_workspaces) << 16
        assert golden.free_bytes >= free - workspace


def test_repack_all(golden):
    model = offload(small_model(), device=golden)
    x = torch.randn(2, 24)
    with torch.no_grad():
        model[0].weight.data.mul_(2)
        model[2].weight.data.mul_(-1)
        repack(model)
        assert torch.equal(model(x), copy.deepcopy(model)(x))


def test_repack_wrong():
    with pytest.raises(ValueError, match=r"^nothing in this Sequential is offloaded$"):
        repack(small_model())


def test_changed_bias(golden):
    model = offload(nn.Linear(8, 8), device=golden)
    x = torch.randn(2, 8)
    with torch.no_grad():
        before = model(x)
        model.bias += 1
        torch.testing.assert_close(model(x), before + 1)


def test_weight_memory_is_given_back(golden):
    free = golden.free_bytes
    model = offload(nn.Linear(256, 256), device=golden)
    packed = golden.free_bytes
    assert free - packed >= 256 * 256
    with torch.no_grad():
        model.weight += 1
        model(torch.randn(1, 256))
        workspace = sum(1 for _ in golden.idle_workspaces) << 16
        assert golden.free_bytes >= packed - workspace
    del model
    assert golden.free_bytes >= free - workspace


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_assigned_twice(golden, size):
    """The address of the first weight may be that of the third."""
    model = offload(nn.Linear(size, size, bias=False), device=golden)
    x = torch.randn(2, size)
    with torch.no_grad():
        before = model(x)
        for _ in range(2):
            model.weight.data = model.weight.data * 2
        assert torch.equal(model(x), 4 * before)


def test_assigned_view(golden):
    """Another look at the same storage."""
    model = nn.Linear(16, 16, bias=False)
    converted = offload(model, device=golden)
    with torch.no_grad():
        converted.weight.data = converted.weight.data.t()
        model.weight.copy_(model.weight.t().clone())
        x = torch.randn(2, 16)
        assert torch.equal(converted(x), offload(model, device=golden)(x))


class Shared(nn.Module):
    """Two layers of one weight that fills most of 1 MiB."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(1024, 512, bias=False), nn.Linear(1024, 512, bias=False)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.first(x) + self.second(x)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.first.weight.mul_(2),
        lambda model: setattr(model.first.weight, "data", 2 * model.first.weight.data),
        lambda model: (model.first.weight.data.mul_(2), repack(model.second)),
    ],
    ids=["in place", "data", "repack"],
)
def test_changed_weight_keeps_its_place(change):
    """However many share it, and though there is no room for two."""
    x = torch.randn(1, 1024)
    with open_device("golden", memory_bytes=1 << 20) as device, torch.no_grad():
        model = offload(Shared(), device=device)
        before = model(x)
        free = device.free_bytes
        for _ in range(2):
            change(model)
        assert torch.equal(model(x), 4 * before)
        assert model.first._systolith.where == model.second._systolith.where == PACKED
        assert device.free_bytes == free


def test_new_parameter_takes_the_place():
    x = torch.randn(1, 1024)
    with open_device("golden", memory_bytes=1 << 20) as device, torch.no_grad():
        model = offload(nn.Linear(1024, 512, bias=False), device=device)
        before = model(x)
        model.weight = nn.Parameter(2 * model.weight)
        assert torch.equal(model(x), 2 * before)
        assert model._systolith.where == PACKED


def test_wrong_change(golden):
    """What is refused is refused until it is right again."""
    model = offload(small_model(), device=golden)
    x = torch.randn(2, 24)
    with torch.no_grad():
        before = model(x)
        kept = model[0].weight[1, 1].clone()
        model[0].weight[1, 1] = torch.nan
        for _ in range(2):
            with pytest.raises(ValueError, match=r"^the weight of 0 holds NaN or infinity"):
                model(x)
        model[0].weight[1, 1] = kept
        assert torch.equal(model(x), before)
