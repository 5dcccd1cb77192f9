"""The accelerator between cocotbext-axi's bus models, and a small driver of its ring."""

import dataclasses
import logging
import random
from collections.abc import Collection

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp
from hw.cocotb_accelerator.gemm import Gemm, random_gemm
from hw.cocotb_accelerator.memory import Memory
from hw.cocotb_accelerator.monitor import Monitor
from systolith_hw.config import ArrayConfig
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES, Code, Completion, Reject
from systolith_hw.registers import REGISTERS, Control, Interrupt, Status

CLOCK_NS = 10
MEMORY_BYTES = 1 << 20
MEMORY_BASES = (0, 0x4000_0000, 0xFFF0_0000)
MAX_WAIT_CYCLES = 20_000
LIMIT = {"timeout_time": 1, "timeout_unit": "ms"}
"""Of a cocotb test, in simulated time: several times what the longest takes."""


@dataclasses.dataclass
class Submission:
    """A descriptor in the ring and how it should end."""

    address: int
    data: bytes
    gemm: Gemm | None
    code: Code
    reason: Reject
    faults: Collection[int]
    record_lost: bool


class Bench:
    """One accelerator, reset, with an empty ring.

    Members
    -------
    config : ArrayConfig
    rng : random.Random
        All random choices.
    memory : Memory
    monitor : Monitor
    total_cycles : int
        Charged to descriptors so far.
    """

    def __init__(self, dut, *, seed, ring_log2):
        self.dut = dut
        self.config = ArrayConfig.parse(cocotb.plusargs["array"])
        self.rng = random.Random(f"{self.config}/{seed}")
        self._ring_log2 = ring_log2
        self._submissions = []
        self._completed = 0
        self.total_cycles = 0
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.ERROR)

    @classmethod
    async def start(cls, dut, *, seed, ring_log2=2, stalls=0.0, set_up=True):
        """Reset the accelerator, and set up its ring unless told not to.

        Parameters
        ----------
        dut : the simulated top
        seed : int or str
        ring_log2 : int
        stalls : float
            Share of cycles in which each channel of both buses is held up by us.
        set_up : bool
        """
        bench = cls(dut, seed=seed, ring_log2=ring_log2)
        await bench._reset()
        if stalls:
            for channel in bench.channels:
                channel.set_pause_generator(random_stalls(random.Random(bench.rng.random()), stalls))
        if set_up:
            await bench.set_up_ring()
        return bench

    async def _reset(self):
        dut = self.dut
        dut.rst.value = 1
        cocotb.start_soon(Clock(dut.clk, CLOCK_NS, unit="ns").start())
        await ClockCycles(dut.clk, 2)
        self._registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        bus_bytes, base = self.config.bus_bytes, self.rng.choice(MEMORY_BASES)
        self.memory = Memory(dut, base=base, size=MEMORY_BYTES, bus_bytes=bus_bytes, rng=self.rng)
        await ClockCycles(dut.clk, 3)
        self.monitor = Monitor(dut, bus_bytes)
        await ClockCycles(dut.clk, 3)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 2)

    async def reset_in_operation(self):
        """Reset the accelerator whatever it does. What was submitted is lost."""
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, 5)
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)
        for submission in self._submissions[self._completed :]:
            self._accept_results(submission)
        self._submissions.clear()
        self._completed = 0
        await self.set_up_ring()

    async def set_up_ring(self):
        self._ring = self.memory.allocate(SLOT_BYTES << self._ring_log2, align=SLOT_BYTES)
        await self.write("ring_base", self._ring)
        await self.write("ring_size", self._ring_log2)
        await self.write("irq_enable", Interrupt.COMPLETION | Interrupt.FAULT)
        await self.write("control", Control.ENABLE)

    @property
    def next_slot(self):
        """Address of the slot that the next descriptor goes to."""
        return self._ring + len(self._submissions) % (1 << self._ring_log2) * SLOT_BYTES

    @property
    def channels(self):
        """All on which we can hold the accelerator up."""
        writes, reads = self._registers.write_if, self._registers.read_if
        return [
            *self.memory.channels,
            *(writes.aw_channel, writes.w_channel, writes.b_channel),
            *(reads.ar_channel, reads.r_channel),
        ]

    async def access(self, address, data=None):
        """Read four bytes, or write some; return the response with the value read."""
        if data is None:
            answer = await self._registers.read(address, 4)
            return AxiResp(answer.resp), int.from_bytes(answer.data, "little")
        answer = await self._registers.write(address, data)
        return AxiResp(answer.resp), None

    async def read(self, name):
        """Read a register."""
        response, value = await self.access(REGISTERS[name].offset)
        assert response == AxiResp.OKAY, name
        return value

    async def write(self, name, value):
        """Write a register."""
        response, _ = await self.access(REGISTERS[name].offset, int(value).to_bytes(4, "little"))
        assert response == AxiResp.OKAY, name

    def random_gemm(self, **fixed):
        """A GEMM in memory. Some of the descriptor's fields may be fixed."""
        return random_gemm(self.rng, self.memory, self.config, **fixed)

    async def submit(self, *gemms):
        """Run GEMMs that shall end well."""
        for gemm in gemms:
            await self.submit_one(gemm.descriptor.pack(), gemm=gemm)

    async def submit_one(
        self, data, *, gemm=None, code=Code.OK, reason=Reject.NONE, faults=(0,), record_lost=False
    ):
        """Put a descriptor into the ring, as soon as a slot is free, and ring the doorbell.

        Parameters
        ----------
        data : bytes
        gemm : Gemm or None
            What it does, if it does anything.
        code, reason
            How it should end.
        faults : collection of int
            The fault addresses that it may report.
        record_lost : bool
            Its record cannot be written.
        """
        await self.wait(len(self._submissions) - (1 << self._ring_log2) + 1)
        address = self.next_slot
        self.memory.store(address, data + bytes(RECORD_BYTES))
        self.memory.allow_reads(address, RECORD_BYTES)
        self.memory.allow_writes(address + RECORD_BYTES, RECORD_BYTES)
        self._submissions.append(Submission(address, data, gemm, code, reason, faults, record_lost))
        await self.write("ring_tail", len(self._submissions) & 0xFFF)

    async def wait(self, count=None):
        """Poll until that many descriptors, or all, have completed; check their records."""
        count = len(self._submissions) if count is None else count
        cycles = await self.cycles()
        while self._completed < count:
            head = await self.read("ring_head")
            assert self._completed <= head <= len(self._submissions)
            while self._completed < head:
                self._check_record(self._submissions[self._completed])
                self._completed += 1
                cycles = await self.cycles()
            if self._completed < count and await self.cycles() - cycles > MAX_WAIT_CYCLES:
                activity = await self.read("activity")
                raise AssertionError(f"no progress at {self._completed} of {count}, activity {activity:#x}")

    async def wait_interrupt(self):
        """Wait for the interrupt line; return and clear what is pending."""
        if not self.dut.irq.value:
            await with_timeout(RisingEdge(self.dut.irq), MAX_WAIT_CYCLES * CLOCK_NS, "ns")
        pending = Interrupt(await self.read("irq_pending"))
        await self.write("irq_pending", pending)
        return pending

    async def cycles(self):
        """Clock cycles since reset, from the registers."""
        return await self.read("cycles")

    async def settle(self):
        """Wait until nobody uses the registers."""
        await self._registers.wait()

    async def finish(self):
        """Wait for all descriptors, then assert that memory is right and the rules were kept."""
        await self.wait()
        assert await self.read("status") & Status.BUSY == 0
        await ClockCycles(self.dut.clk, 20)
        assert await self.read("activity") == 0
        self.memory.finish()
        self.monitor.finish()

    def record(self, index):
        """A completion record, checked already by :meth:`wait`."""
        return Completion.unpack(
            self.memory.load(self._submissions[index].address + RECORD_BYTES, RECORD_BYTES)
        )

    def _check_record(self, submission):
        address = submission.address + RECORD_BYTES
        if submission.record_lost:
            self._accept_results(submission)
            return
        data = self.memory.load(address, RECORD_BYTES)
        record = Completion.unpack(data)
        assert (record.code, record.reason) == (submission.code, submission.reason), record
        assert record.fault_address in submission.faults, (record, submission.faults)
        # A descriptor that could not be read has no tag.
        tag = int.from_bytes(submission.data[60:64], "little")
        assert record.tag == (tag if submission.gemm or submission.code == Code.REJECTED else 0)
        assert not any(data[40:]), "words 10 to 15 of a record are zero"
        counters = record.counters
        assert counters.total == sum(counters.parts.values()), counters
        if submission.gemm:
            assert counters.compute == self._compute_cycles(submission.gemm), counters
        else:
            assert counters.total == 0, counters
        self.total_cycles += counters.total
        self.memory.expect(address, data)
        if submission.code == Code.OK:
            for place, contents in submission.gemm.row_bytes():
                self.memory.expect(place, contents)
        else:
            self._accept_results(submission)

    def _compute_cycles(self, gemm):
        """Every row of A enters the array once for every tile of B."""
        d = gemm.descriptor
        return d.batch * d.m * -(-d.k // self.config.rows) * -(-d.n // self.config.columns)

    def _accept_results(self, submission):
        """Results that are undefined, and the record."""
        places = [(submission.address + RECORD_BYTES, RECORD_BYTES)]
        if submission.gemm:
            places += [(place, len(contents)) for place, contents in submission.gemm.row_bytes()]
        for place, length in places:
            self.memory.expect(place, self.memory.load(place, length))


def random_stalls(rng, share):
    """Whether to stall, cycle after cycle, for one to eight cycles in a row."""
    while True:
        stalled = rng.random() < share
        for _ in range(rng.randrange(1, 9)):
            yield stalled
