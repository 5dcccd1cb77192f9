"""The registers, from outside and while GEMMs run. Run by cocotb."""

import itertools

import cocotb
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiResp
from hw.cocotb_accelerator.bench import LIMIT, Bench
from systolith_hw.registers import REGISTERS

RING_BASE = REGISTERS["ring_base"].offset
RING_BASE_BITS = 0xFFFFFF80


def identity(config):
    """What the read-only registers hold, put together by hand."""
    return {
        0x00: int.from_bytes(b"SYST", "little"),
        0x04: 1,
        0x08: config.rows | config.columns << 16,
        0x0C: config.axi_data_bits | 32 << 16,
        0x10: config.a_buffer_lines | config.b_buffer_lines << 16,
        0x14: config.accumulator_rows | config.epilogue_lanes << 16,
        0x18: int(config.content_hash[:8], 16),
        0x1C: config.tile_columns,
        0x4C: config.burst_bytes | config.outstanding << 16,
        0x50: config.descriptor_slots | config.lane_cycles << 16,
        0x54: config.dimension_bits | config.counter_bits << 16,
    }


@cocotb.test(**LIMIT)
async def identity_values(dut):
    bench = await Bench.start(dut, seed=1)
    for address, value in identity(bench.config).items():
        assert await bench.access(address) == (AxiResp.OKAY, value)


@cocotb.test(**LIMIT)
async def values_after_reset(dut):
    bench = await Bench.start(dut, seed=2, set_up=False)
    for name in ("control", "status", "ring_base", "ring_size", "ring_tail", "ring_head"):
        assert await bench.read(name) == 0, name
    for name in ("irq_enable", "irq_pending", "fault_address", "activity"):
        assert await bench.read(name) == 0, name
    assert not dut.irq.value


@cocotb.test(**LIMIT)
async def writable_bits(dut):
    bench = await Bench.start(dut, seed=3, set_up=False)
    masks = {"ring_base": RING_BASE_BITS, "ring_size": 15, "irq_enable": 3}
    for name, mask in masks.items():
        for value in (0xFFFFFFFF, 0, 0xA5A5A5A5, 0x5A5A5A5A):
            await bench.write(name, value)
            assert await bench.read(name) == value & mask, name


@cocotb.test(**LIMIT)
async def strobes(dut):
    """Only the bytes with a strobe are written: every run of bytes within the word."""
    bench = await Bench.start(dut, seed=4, set_up=False)
    expected = bytearray(4)
    for first, length in itertools.product(range(4), range(1, 5)):
        if first + length <= 4:
            data = bench.rng.randbytes(length)
            expected[first : first + length] = data
            assert await bench.access(RING_BASE + first, data) == (AxiResp.OKAY, None)
            kept = int.from_bytes(expected, "little") & RING_BASE_BITS
            assert await bench.read("ring_base") == kept


@cocotb.test(**LIMIT)
@cocotb.parametrize(stalls=[0.0, 0.5])
async def holes(dut, stalls):
    """An address without register, and a write to one that is read only, is answered with SLVERR."""
    bench = await Bench.start(dut, seed=5, set_up=False, stalls=stalls)
    await bench.write("ring_base", 0x12345600)
    registers = {register.offset: register for register in REGISTERS.values()}
    for address in range(0, 256, 4):
        register = registers.get(address)
        response, _ = await bench.access(address)
        assert response == (AxiResp.OKAY if register else AxiResp.SLVERR), hex(address)
        if register is None or register.access == "ro":
            before = await bench.access(address) if register and register.offset <= 0x18 else None
            assert (await bench.access(address, b"\xff" * 4))[0] == AxiResp.SLVERR, hex(address)
            assert before is None or await bench.access(address) == before
    assert await bench.read("ring_base") == 0x12345600
    bench.monitor.finish()


@cocotb.test(**LIMIT)
async def cycle_counter(dut):
    """Counts every clock cycle."""
    bench = await Bench.start(dut, seed=6, set_up=False)
    before = await bench.cycles()
    await ClockCycles(dut.clk, 1000)
    between = await bench.cycles()
    after = await bench.cycles()
    # Both readings take equally long, but for where in a cycle they begin.
    assert abs((between - before) - 1000 - (after - between)) <= 1


@cocotb.test(**LIMIT)
@cocotb.parametrize(stalls=[0.0, 0.4])
async def access_in_operation(dut, stalls):
    """Registers answer, and GEMMs stay right, while both are busy."""
    bench = await Bench.start(dut, seed=7, stalls=stalls)
    fixed = identity(bench.config)
    accesses = itertools.count()

    async def disturb():
        for _ in accesses:
            address = bench.rng.choice(list(fixed))
            assert await bench.access(address) == (AxiResp.OKAY, fixed[address])
            value = bench.rng.getrandbits(2)
            await bench.write("irq_enable", value)
            assert await bench.read("irq_enable") == value
            assert (await bench.access(0xFC, b"\xff" * 4))[0] == AxiResp.SLVERR
            assert await bench.read("ring_head") <= await bench.read("ring_tail")
            await bench.read("status")
            await bench.read("activity")

    task = cocotb.start_soon(disturb())
    await bench.submit(*[bench.random_gemm() for _ in range(5)])
    await bench.wait()
    task.cancel()
    assert next(accesses) > 5, "too few accesses to disturb anything"
    await bench.settle()
    await bench.finish()
