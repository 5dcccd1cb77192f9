"""Devices for small models, and what a test may want to know of the products that they computed."""

import numpy as np
import pytest
import torch
from sw.oracle import gemm
from systolith import ArrayConfig
from systolith.torch import Verifier

SMALL = ArrayConfig(rows=4, columns=4)


class Recorder(Verifier):
    """Keeps the operands and the result of every product."""

    def __init__(self):
        super().__init__()
        self.products = {}

    def check(self, label, a, b, b_layout, result):
        super().check(label, a, b, b_layout, result)
        self.products[label] = (a.copy(), b.copy(), b_layout, result.copy())

    def check_with_oracle(self):
        """Every result, bit for bit, against arithmetic that shares no code with the device."""
        assert self.bit_exact
        assert self.products
        for label, (a, b, b_layout, result) in self.products.items():
            assert result.dtype == np.int32, label
            np.testing.assert_array_equal(result, gemm(a, b, b_layout=b_layout), err_msg=label)


@pytest.fixture(params=["golden", pytest.param("rtl", marks=pytest.mark.slow)])
def device(request, open_shared):
    device = open_shared(request.param, SMALL)
    device.trace.clear()
    return device


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(7)


@pytest.fixture
def fresh_dynamo():
    """Nothing is compiled yet, and nothing stays compiled."""
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def cosine(a, b):
    return torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0).item()
