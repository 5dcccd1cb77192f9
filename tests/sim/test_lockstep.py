"""Two models compared in every cycle: seeded differences are found in the cycle in which they arise."""

import random
import re

import pytest
from systolith_hw import ArrayConfig, Descriptor, Reject
from systolith_sim import Simulator, Variant, build_model, build_verilog, cached_verilog
from systolith_sim.lockstep import Difference, DifferenceError, LockStep
from systolith_sim.ports import device_ports
from systolith_sim.random_traffic import MEMORY_BYTES, Traffic
from systolith_sim.verify_lowering import verify_lowering

pytestmark = pytest.mark.timeout(600)

CONFIG = ArrayConfig(rows=4, columns=4)


@pytest.fixture(scope="module")
def record(cache):
    """The library that records, by its Verilog; or by lowering."""

    def build(lowering, *patches):
        verilog = cached_verilog(CONFIG, lowering=lowering, cache=cache)
        for old, new in patches:
            verilog, count = re.subn(old, new, verilog)
            assert count == 1
        return build_verilog(verilog, variant=Variant.RECORD, cache=cache)

    return build


def test_lowerings_equal(record):
    result = verify_lowering(CONFIG, seeds=range(40), libraries=(record("loops"), record("stock")))
    assert result.difference is None
    assert (result.cases, result.config) == (40, CONFIG)
    assert result.descriptors > 100
    assert result.cycles > 100_000


@pytest.mark.parametrize("bits", [32, 18, 15])
def test_traffic_runs(bits):
    """Nearly all products run, however few addresses there are."""
    config = ArrayConfig(rows=4, columns=4, address_bits=bits)
    traffic, rng = Traffic(config=config, seed=0), random.Random(bits)
    rejected = 0
    for _ in range(200):
        try:
            descriptor = Descriptor.unpack(traffic._descriptor(rng))
        except ValueError:
            rejected += 1
            continue
        rejected += descriptor.check(config) is not Reject.NONE
        assert descriptor.d_address + descriptor.batch * descriptor.d_batch_stride <= 1 << bits
    assert 0 < rejected < 20


def glitch(cycle):
    """A patch that inverts the interrupt in one cycle."""
    counter = "reg [31:0] glitch = 0; always @(posedge clk) glitch <= rst ? 0 : glitch + 1;"
    return r"  assign irq = ([^;]*);", rf"  {counter}\n  assign irq = (\1) ^ (glitch == {cycle});"


@pytest.mark.slow
@pytest.mark.parametrize(
    "cycle", [*(pytest.param(cycle, marks=pytest.mark.long) for cycle in (0, 4095)), 9001]
)
def test_difference_cycle(record, cycle):
    with LockStep((record("stock", glitch(cycle)), record("stock")), memory_bytes=4096) as device:
        device.run(cycle)
        device.reset()
        with pytest.raises(DifferenceError, match=rf"^cycle {cycle}: irq is 0x1 and 0x0$") as found:
            device.run(20_000)
        assert found.value.difference == Difference(cycle=cycle, signal="irq", values=(1, 0))
        assert device.cycles == 2 * cycle


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "signal"),
    [
        # Rounding of the lanes.
        ((r"\(doubled \+ 1\)", "doubled"), "m_axi_wdata"),
        # The weights of half the columns.
        (
            (r"next\[diagonal\]\[load_index\] = weights\[c\]", "next[diagonal][load_index] = weights[c & 1]"),
            "m_axi_wdata",
        ),
        # The sums' carries.
        ((r"(sums\[d\]\[r \+ 1\] = sums\[d - 1\]\[r\]) \+", r"\1 |"), "m_axi_wdata"),
        # Sums that do not begin at zero.
        ((r"\[1\] \? 0 : old\[c\]", "[1] ? 1 : old[c]"), "m_axi_wdata"),
    ],
    ids=["lanes", "weights", "psum", "accumulators"],
)
def test_wrong_loops(record, patch, signal):
    """A wrong module shows where its first wrong result leaves the device, and nowhere before."""
    libraries = record("loops", patch), record("stock")
    result = verify_lowering(CONFIG, seeds=range(20), libraries=libraries)
    difference = result.difference
    assert difference.signal == signal
    shown = [trace(library, result.seed, difference.cycle) for library in libraries]
    assert [ports[-1][signal] for ports in shown] == list(difference.values)
    outputs = [name for name, (direction, _) in device_ports(32).items() if direction == "output"]
    for one, other in zip(*(ports[:-1] for ports in shown), strict=True):
        assert all(one[name] == other[name] for name in outputs)


def trace(library, seed, last_cycle):
    """The ports of one model alone, up to a cycle of the first time that it gets there."""

    class ReachedError(Exception):
        pass

    class Alone(Simulator):
        def __init__(self, *args, **options):
            self.seen = []
            super().__init__(*args, **options)

        def run(self, cycles):
            for _ in range(cycles):
                super().run(max_cycles=1, until=None)
                self.look()

        def read_register(self, offset):
            value = super().read_register(offset)
            self.look()
            return value

        def write_register(self, offset, value):
            super().write_register(offset, value)
            self.look()

        def reset(self):
            super().reset()
            self.seen = []

        def look(self):
            known = range(len(self.seen), min(self.cycles, last_cycle + 1))
            self.seen += map(self.ports, known)
            if len(self.seen) > last_cycle:
                raise ReachedError

        def write_memory(self, address, data):
            self.memory[address : address + data.size] = data

    with Alone(library, memory_bytes=MEMORY_BYTES) as device:
        with pytest.raises(ReachedError):
            Traffic(config=CONFIG, seed=seed).run(device)
        return device.seen


def test_digest(record):
    """It depends on every cycle, begins anew at reset, and is the same for the same outputs."""
    with (
        Simulator(record("loops"), memory_bytes=4096) as one,
        Simulator(record("loops"), memory_bytes=4096) as other,
    ):
        assert one.digest == other.digest
        one.run(max_cycles=5, until=None)
        first = one.digest
        one.run(max_cycles=1, until=None)
        assert one.digest != first
        other.run(max_cycles=6, until=None)
        assert one.digest == other.digest
        one.read_register(0)
        other.read_register(4)
        assert one.digest != other.digest
        one.reset()
        one.run(max_cycles=5, until=None)
        assert one.digest == first


def test_ports(record):
    with Simulator(record("loops"), memory_bytes=4096) as simulator:
        value = simulator.read_register(0)
        ports = simulator.ports(simulator.cycles - 1)
        assert (ports["s_axil_rdata"], ports["s_axil_rvalid"]) == (value, 1)
        assert set(ports) == set(device_ports(32)) - {"clk"}
        simulator.run(max_cycles=5000, until=None)
        for cycle in (-1, simulator.cycles, simulator.cycles - simulator.recorded_cycles - 1):
            with pytest.raises(ValueError, match=f"cycle must be one of the last 4096, not {cycle}"):
                simulator.ports(cycle)
        simulator.ports(simulator.cycles - simulator.recorded_cycles)


def test_every_output_is_compared():
    """The accelerator has no output that the harness does not know."""
    text = cached_verilog(CONFIG)
    top = text[text.index("module systolith(") :]
    outputs = re.findall(r"^  output (?:\[\d+:0\] )?(\w+);", top[: top.index("endmodule")], re.MULTILINE)
    assert set(outputs) == {
        name for name, (direction, _) in device_ports(32).items() if direction == "output"
    }


def test_record_wrong(cache):
    with Simulator(build_model(CONFIG, cache=cache), memory_bytes=4096) as simulator:
        assert simulator.recorded_cycles == 0
        for call in (lambda: simulator.digest, lambda: simulator.ports(0)):
            with pytest.raises(ValueError, match="this model does not record: build one with variant="):
                call()
