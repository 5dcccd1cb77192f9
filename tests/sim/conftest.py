"""Copiers of every width, each built once for all workers."""

import pytest
from sim.copier import Copier
from systolith_sim import Simulator, Variant, build_verilog
from systolith_sim.emit import emit_component

MEMORY_BYTES = 1 << 20


@pytest.fixture(scope="session")
def cache(tmp_path_factory, worker_id):
    """A cache folder that the workers share."""
    base = tmp_path_factory.getbasetemp()
    return (base if worker_id == "master" else base.parent) / "cache"


@pytest.fixture(scope="session")
def copier_verilog():
    """The Verilog of a copier by its data width."""
    texts = {}

    def emit(data_bits):
        if data_bits not in texts:
            texts[data_bits] = emit_component(Copier(data_bits))
        return texts[data_bits]

    return emit


@pytest.fixture(scope="session")
def copier_library(cache, copier_verilog):
    """The model of a copier by its data width and variant."""

    def build(data_bits, variant=Variant.FAST):
        return build_verilog(copier_verilog(data_bits), variant=variant, cache=cache)

    return build


@pytest.fixture
def simulator(copier_library):
    """A running copier of 128 bits."""
    with Simulator(copier_library(128), memory_bytes=MEMORY_BYTES) as device:
        yield device
