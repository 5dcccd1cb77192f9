"""Descriptors that cannot be run, between others that can. Run by cocotb."""

import struct

import cocotb
from cocotb.triggers import ClockCycles
from hw.cocotb_accelerator.bench import LIMIT, Bench
from systolith_hw.config import K_MAX
from systolith_hw.descriptor import Code, Output, Reject
from systolith_hw.registers import Interrupt

ALIGNED_WORDS = range(5, 15)


def bad_words(config):
    """Changes that make a good int8 descriptor bad: words to exclusive-or or to set, and the reason."""
    acc, lines, line = config.accumulator_rows, config.a_buffer_lines, config.line_bytes
    # Bits 0 to 7 of word 0 are the opcode, 1; bits 13 to 31, and 24 to 31 of the sizes, are reserved.
    for bit in [0, 1, 4, 7, *range(13, 32)]:
        yield {0: lambda word, bit=bit: word ^ 1 << bit}, Reject.OPCODE
    for word in (1, 2, 3):
        for bit in range(24, 32):
            yield {word: lambda word, bit=bit: word | 1 << bit}, Reject.OPCODE
        yield {word: lambda _: 0}, Reject.ZERO_SIZE
    yield {4: lambda word: word & 0xFFFF0000}, Reject.ZERO_SIZE
    yield {4: lambda word: word & 0xFFFF}, Reject.ZERO_SIZE
    for k in (K_MAX + 1, K_MAX + 2, 1 << 18, (1 << 24) - 1):
        yield {2: lambda _, k=k: k}, Reject.OVERFLOW_POSSIBLE
    # One row more than the accumulators hold, and one row or one byte of K more than the A buffer holds.
    yield {2: lambda _: 1, 4: lambda _: acc + 1 << 16 | 1}, Reject.CAPACITY
    yield {2: lambda _: 1, 4: lambda _: 0xFFFF0001}, Reject.CAPACITY
    yield {2: lambda _: lines * line + 1, 4: lambda _: 0x00010001}, Reject.CAPACITY
    yield {2: lambda _: lines * line // acc + 1, 4: lambda _: acc << 16 | 1}, Reject.CAPACITY
    yield {2: lambda _: K_MAX, 4: lambda _: 0x00010001}, Reject.CAPACITY
    for word in ALIGNED_WORDS:
        for offset in {1, config.bus_bytes // 2}:
            yield {word: lambda word, offset=offset: word + offset & 0xFFFFFFFF}, Reject.ALIGNMENT
    # int8 without parameters.
    yield {0: lambda word: word & ~(1 << 10)}, Reject.PARAMETERS
    # Of several reasons the lowest is reported.
    yield {0: lambda word: word ^ 2, 1: lambda _: 0}, Reject.OPCODE
    yield {1: lambda _: 0, 2: lambda _: K_MAX + 1}, Reject.ZERO_SIZE
    yield {2: lambda _: K_MAX + 1, 4: lambda _: 0xFFFF0001}, Reject.OVERFLOW_POSSIBLE
    yield {4: lambda _: acc + 1 << 16 | 1, 5: lambda word: word + 1}, Reject.CAPACITY
    yield {0: lambda word: word & ~(1 << 10), 9: lambda word: word + 1}, Reject.ALIGNMENT


@cocotb.test(**LIMIT)
@cocotb.parametrize(stalls=[0.0, 0.4])
async def every_reason(dut, stalls):
    """Each is reported, nothing is read or written for it, and the GEMMs between are right."""
    bench = await Bench.start(dut, seed=1, ring_log2=3, stalls=stalls)
    base = bench.random_gemm(output=Output.INT8, interrupt=False)
    reasons = set()
    for number, (changes, reason) in enumerate(bad_words(bench.config)):
        if number % 12 == 5:
            await bench.submit(bench.random_gemm(m=3, n=5, interrupt=False))
        words = list(struct.unpack("<16I", base.descriptor.pack()))
        for word, change in changes.items():
            words[word] = change(words[word])
        words[15] = bench.rng.getrandbits(32)
        await bench.submit_one(struct.pack("<16I", *words), code=Code.REJECTED, reason=reason)
        reasons.add(reason)
    # An accelerator that keeps all bits finds nothing too wide.
    assert reasons == set(Reject) - {Reject.NONE, Reject.WIDTH}
    # The descriptor that all of them were made of can be run.
    await bench.submit(base)
    await bench.finish()


@cocotb.test(**LIMIT)
async def largest_that_fit(dut):
    """What is just within every capacity runs."""
    bench = await Bench.start(dut, seed=2)
    config = bench.config
    bytes_of_a = config.a_buffer_lines * config.line_bytes
    acc = config.accumulator_rows
    await bench.submit(
        bench.random_gemm(m=acc + 1, k=bytes_of_a // acc, n=3, batch=1, m_block=acc),
        bench.random_gemm(m=2, k=bytes_of_a, n=3, batch=1, m_block=1),
    )
    await bench.finish()


@cocotb.test(**LIMIT)
async def interrupt_flag(dut):
    """A rejected descriptor interrupts as its flag says."""
    bench = await Bench.start(dut, seed=3)
    for interrupt in (False, True):
        gemm = bench.random_gemm(interrupt=interrupt)
        data = gemm.descriptor.pack()
        await bench.submit_one(data[:4] + bytes(4) + data[8:], code=Code.REJECTED, reason=Reject.ZERO_SIZE)
        await bench.wait()
        await ClockCycles(dut.clk, 5)
        assert bool(dut.irq.value) == interrupt
    assert await bench.wait_interrupt() == Interrupt.COMPLETION
    await bench.submit(bench.random_gemm())
    await bench.finish()
