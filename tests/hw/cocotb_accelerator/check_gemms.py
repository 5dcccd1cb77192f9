"""GEMMs through the ring: results, records, interrupts, and the bytes round them. Run by cocotb."""

import itertools

import cocotb
from cocotb.triggers import ClockCycles
from hw.cocotb_accelerator.bench import LIMIT, Bench
from systolith_hw.descriptor import BLayout, Output
from systolith_hw.registers import Interrupt


@cocotb.test(**LIMIT)
async def one_small_gemm(dut):
    bench = await Bench.start(dut, seed=1)
    await bench.submit(bench.random_gemm(m=5, k=7, n=6, output=Output.INT8, batch=1))
    await bench.finish()
    # The launcher compares this line of different simulators.
    cocotb.log.info("took %s", bench.record(0).counters)


@cocotb.test(**LIMIT)
async def every_layout_and_output(dut):
    bench = await Bench.start(dut, seed=2)
    for layout, output, parameters in itertools.product(BLayout, Output, (True, False)):
        if parameters or output is Output.INT32:
            await bench.submit(bench.random_gemm(b_layout=layout, output=output, parameters=parameters))
    await bench.submit(bench.random_gemm(m=1, k=1, n=1, m_block=1))
    await bench.finish()


@cocotb.test(**LIMIT)
async def random_gemms_full_speed(dut):
    """A ring of two slots wraps round many times; all cycles are accounted for."""
    bench = await Bench.start(dut, seed=3, ring_log2=1)
    gemms = [bench.random_gemm() for _ in range(10)]
    before = await bench.cycles()
    await bench.submit(*gemms)
    await bench.finish()
    elapsed = await bench.cycles() - before
    assert 0 < bench.total_cycles <= elapsed
    boundary = 4096
    ends = {(address + length) % boundary for address, length in bench.monitor.bursts.reads}
    assert 0 in ends, "no burst ended at a 4 KiB boundary: the test is too weak"


@cocotb.test(**LIMIT)
@cocotb.parametrize(stalls=[0.2, 0.5, 0.8])
async def random_gemms_with_stalls(dut, stalls):
    """Both buses hold the accelerator up, lightly and heavily, on all channels."""
    bench = await Bench.start(dut, seed=f"stalls {stalls}", stalls=stalls)
    await bench.submit(*[bench.random_gemm() for _ in range(8)])
    await bench.finish()


@cocotb.test(**LIMIT)
async def one_slow_channel(dut):
    """Each channel of the memory in turn is much slower than the others."""
    bench = await Bench.start(dut, seed=6)
    for channel in bench.memory.channels:
        channel.set_pause_generator(itertools.cycle([True] * 15 + [False]))
        await bench.submit(bench.random_gemm(m=7, k=12, n=9, batch=1))
        await bench.wait()
        channel.clear_pause_generator()
        channel.pause = False
    await bench.finish()


@cocotb.test(**LIMIT)
async def interrupts(dut):
    """A completion interrupts if its descriptor says so and the register allows it."""
    bench = await Bench.start(dut, seed=7)
    small = {"m": 3, "k": 5, "n": 4, "batch": 1}
    await bench.submit(bench.random_gemm(**small, interrupt=False))
    await bench.wait()
    await ClockCycles(dut.clk, 5)
    assert not dut.irq.value

    await bench.submit(bench.random_gemm(**small, interrupt=True))
    assert await bench.wait_interrupt() == Interrupt.COMPLETION
    assert await bench.read("ring_head") == 2
    assert not dut.irq.value
    await bench.wait()

    await bench.write("irq_enable", 0)
    await bench.submit(bench.random_gemm(**small, interrupt=True))
    await bench.wait()
    await ClockCycles(dut.clk, 5)
    assert not dut.irq.value
    assert await bench.read("irq_pending") == Interrupt.COMPLETION
    await bench.write("irq_enable", Interrupt.COMPLETION)
    assert await bench.wait_interrupt() == Interrupt.COMPLETION
    await bench.finish()


@cocotb.test(**LIMIT)
async def one_doorbell_for_many(dut):
    """Descriptors wait while the accelerator is disabled; then one doorbell has rung for all."""
    bench = await Bench.start(dut, seed=8, ring_log2=3)
    await bench.write("control", 0)
    await bench.submit(*[bench.random_gemm() for _ in range(6)])
    await ClockCycles(dut.clk, 200)
    assert await bench.read("ring_head") == 0
    assert not bench.monitor.bursts.reads
    await bench.write("control", 1)
    await bench.finish()


@cocotb.test(**LIMIT)
async def reset_in_operation(dut):
    """A reset at any moment leaves nothing behind that spoils the next GEMM."""
    bench = await Bench.start(dut, seed=9, stalls=0.2)
    for _ in range(5):
        await bench.submit(bench.random_gemm(), bench.random_gemm())
        await ClockCycles(dut.clk, bench.rng.randrange(1, 400))
        await bench.reset_in_operation()
    await bench.submit(*[bench.random_gemm() for _ in range(3)])
    await bench.finish()
