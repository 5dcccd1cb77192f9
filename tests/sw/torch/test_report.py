"""What of an offloaded model runs where."""

import copy

import numpy as np
import pytest
import torch
from sw.torch.zoo import ZOO
from systolith import matmul, open_device
from systolith.torch import Report, Row, offload, report
from torch import nn
from torch.nn import functional

PACKED = "weight packed once"
ATTENTION = "both products; softmax on the host"


class Mixed(nn.Module):
    """Something of every kind."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(16, 8)
        self.conv = nn.Conv1d(8, 8, 3, padding=1)
        self.layers = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.gru = nn.GRU(8, 8, batch_first=True)

    def forward(self, ids):
        x = self.conv(self.embedding(ids).mT).mT
        for layer in self.layers:
            x = layer(x)
        x = self.attention(x, x, x)[0]
        return self.gru(x)[0] @ x.mT


def test_report(golden):
    told = report(offload(Mixed().eval(), device=golden))
    assert told.rows == (
        Row("conv", "Conv1d", "host", "a convolution"),
        Row("layers.0", "Linear", "device", PACKED),
        Row("layers.1", "Linear", "device", PACKED),
        Row("attention", "MultiheadAttention", "device", f"projections and {ATTENTION}"),
        Row("attention.out_proj", "Linear", "device", PACKED),
        Row("gru", "GRU", "host", "a recurrence"),
    )
    assert told.device == told.rows[1:5]
    assert told.host == (told.rows[0], told.rows[5])
    assert told.device_share is None
    assert str(told) == "\n".join(
        [
            "module              count  kind                runs on  why",
            "conv                    1  Conv1d              host     a convolution",
            "layers.*                2  Linear              device   weight packed once",
            f"attention               1  MultiheadAttention  device   projections and {ATTENTION}",
            "attention.out_proj      1  Linear              device   weight packed once",
            "gru                     1  GRU                 host     a recurrence",
        ]
    )


def test_report_measured(golden):
    """Multiply-accumulates, and an operator of the model's own."""
    converted = offload(Mixed().eval(), device=golden)
    with torch.inference_mode():
        told = report(converted, torch.arange(10).view(2, 5))
    macs = {row.where: row.macs for row in told.rows}
    rows = 2 * 5
    assert macs["conv"] == rows * 8 * 8 * 3
    assert macs["layers.0"] == macs["layers.1"] == macs["attention.out_proj"] == rows * 8 * 8
    assert macs["attention"] == rows * 8 * 24 + 2 * (2 * 2 * 5 * 5 * 4)
    own = Row(
        "Mixed", "bmm", "host", "called by the module itself, where torch.compile may reach it", 2 * 5 * 5 * 8
    )
    assert own in told.host
    device = sum(row.macs for row in told.device)
    total = sum(row.macs or 0 for row in told.rows)
    assert told.device_share == device / total
    assert str(told).endswith(f"{device / total:.1%} of the multiply-accumulates on the device")


@pytest.mark.parametrize("name", ZOO)
def test_report_zoo(golden, name):
    """Every product of the device is some module's, and only convolutions stay on the host."""
    make, inputs = ZOO[name]
    converted = offload(make(), device=golden)
    with torch.inference_mode():
        told = report(converted, **inputs())
    assert sum(row.macs for row in told.device) == sum(record.macs for record in golden.trace)
    assert {row.why for row in told.host} <= {"a convolution"}
    assert bool(told.host) == (name in ("vit", "whisper"))


def test_report_counts_what_no_counter_knows(golden):
    """Under torch.inference_mode, parameters as inputs of modules, and an operator that is not torch's."""

    @torch.library.custom_op("systolith_tests::twice", mutates_args=())
    def twice(x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    @twice.register_fake
    def _(x):
        return torch.empty_like(x)

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.randn(4, 8))
            self.dropout = nn.Dropout(0.1)
            self.linear = nn.Linear(8, 8)

        def forward(self, x):
            return twice(self.linear(x)) @ self.dropout(self.table).T

    model = Own().eval()
    with torch.inference_mode():
        told = report(offload(model, device=golden), torch.randn(3, 8))
        assert set(told.host) == {
            Row("Own", "twice", "host", "an operator that is not torch's"),
            Row(
                "Own",
                "mm",
                "host",
                "called by the module itself, where torch.compile may reach it",
                3 * 4 * 8,
            ),
        }
        torch._dynamo.reset()
        torch.compile(model, backend="systolith", options={"device": golden})(torch.randn(3, 8))
    assert [(row.what, row.why) for row in report(model).host] == [
        ("twice", "an operator that is not torch's")
    ]


def test_report_other_products(golden):
    """What runs on the device and belongs to no module is told and counted."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(8, 8)

        def forward(self, x):
            for _ in range(2):
                matmul(np.ones((3, 8), np.int8), np.ones((8, 5), np.int8), device=golden, label="own.product")
            return self.linear(x)

    with torch.inference_mode():
        told = report(offload(Own(), device=golden), torch.randn(2, 8))
    assert told.device == (
        Row("linear", "Linear", "device", PACKED, 2 * 8 * 8),
        Row("own.product", "product", "device", "of no module that was converted", 2 * 3 * 8 * 5),
    )
    assert told.device_share == 1.0


def test_report_own_attention(golden):
    """Attention that nobody can replace is told where it is seen."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(8, 24)

        def forward(self, x):
            q, k, v = self.qkv(x).chunk(3, dim=-1)
            return functional.scaled_dot_product_attention(q, k, v)

    converted = offload(nn.Sequential(Own()).eval(), device=golden)
    assert report(converted).host == ()
    with torch.inference_mode():
        told = report(converted, torch.randn(2, 4, 8))
    assert sum(row.macs for row in told.host) == 2 * (2 * 4 * 4 * 8)
    assert {row.where for row in told.host} == {"0"}


@pytest.mark.parametrize("door", ["offload", "compile"])
def test_report_little_memory(door):
    """Weights that do not fit are told."""
    model = nn.Sequential(nn.Linear(32, 32), nn.Linear(512, 512)).eval()
    with open_device("golden", memory_bytes=1 << 18) as device:
        if door == "offload":
            rows = report(copy.deepcopy(offload(model[:1], device=device))).rows
            assert [row.why for row in rows] == ["weight packed when first used"]
            rows = report(offload(model, device=device)).rows
        else:
            torch._dynamo.reset()
            layers = [
                torch.compile(layer, backend="systolith", options={"device": device}) for layer in model
            ]
            with torch.inference_mode():
                for layer, size in zip(layers, (32, 512), strict=True):
                    layer(torch.randn(2, size))
            rows = [report(layer).rows[0] for layer in layers]
    copied = "weight copied with every call: too little device memory"
    assert [row.why for row in rows] == [PACKED, copied]


def test_share_of_nothing():
    assert Report([]).device_share is None
    assert str(Report([])) == ""


def test_report_wrong(golden):
    with pytest.raises(TypeError, match=r"^model must be a torch\.nn\.Module, not dict$"):
        report({})
    with pytest.raises(ValueError, match=r"^this Linear is neither offloaded nor compiled with"):
        report(nn.Linear(2, 2))
