"""The run that a model is compiled with the counts of."""

import pytest
from systolith_hw import ArrayConfig
from systolith_sim import Simulator, build_model
from systolith_sim.errors import CompileError
from systolith_sim.model import build_verilog, cached_verilog
from systolith_sim.training import train

DEFAULT = ArrayConfig()


@pytest.fixture(scope="module")
def library():
    """The default model, which every test of the runtime shares."""
    return build_model(DEFAULT)


def test_train(library, monkeypatch):
    cycles = []
    close = Simulator.close

    def noted(simulator):
        if simulator._device is not None:
            cycles.append(simulator.cycles)
        close(simulator)

    monkeypatch.setattr(Simulator, "close", noted)
    train(library, DEFAULT)
    assert 10_000 < cycles[0] < 1_000_000


@pytest.mark.long  # The library above is built so.
def test_trained_as(cache):
    """The same design with and without training; a training run that fails fails the build."""
    small = ArrayConfig(
        rows=2,
        columns=2,
        a_buffer_lines=32,
        b_buffer_lines=64,
        accumulator_rows=16,
        address_bits=12,
        dimension_bits=8,
    )
    verilog = cached_verilog(small, lowering="loops", cache=cache)
    plain = build_verilog(verilog, cache=cache)
    trained = build_verilog(verilog, cache=cache, trained_as=small)
    assert plain != trained
    with Simulator(trained, memory_bytes=4096) as simulator:
        assert simulator.read_register(0) != 0
    with pytest.raises(CompileError, match="the products of the training run ended with the codes"):
        build_verilog(verilog, cache=cache, trained_as=ArrayConfig(axi_data_bits=256))
