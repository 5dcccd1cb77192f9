"""Error responses of the memory: reported, and forgotten by the next GEMM. Run by cocotb."""

import cocotb
from cocotbext.axi import AxiResp
from hw.cocotb_accelerator.bench import LIMIT, Bench
from systolith_hw.descriptor import RECORD_BYTES, BLayout, Code, Output
from systolith_hw.registers import Interrupt, Status

RESPONSES = [AxiResp.SLVERR, AxiResp.DECERR]
CONDITIONS = (("response", "stalls"), [(AxiResp.SLVERR, 0.0), (AxiResp.DECERR, 0.4)])


def read_place(bench, gemm, operand):
    """Address of a random element of an operand, all of which is read."""
    d, rng = gemm.descriptor, bench.rng
    if operand == "parameters":
        return d.parameter_address + rng.randrange(8 * d.n)
    batch = rng.randrange(d.batch)
    if operand == "a":
        row, column = rng.randrange(d.m), rng.randrange(d.k)
        return d.a_address + batch * d.a_batch_stride + row * d.a_stride + column
    rows, columns = (d.k, d.n) if d.b_layout is BLayout.KN else (d.n, d.k)
    row, column = rng.randrange(rows), rng.randrange(columns)
    return d.b_address + batch * d.b_batch_stride + row * d.b_stride + column


def beat(bench, address):
    return address - address % bench.config.bus_bytes


@cocotb.test(**LIMIT)
@cocotb.parametrize(
    (("operand", "layout"), [("a", 0), ("b", BLayout.KN), ("b", BLayout.NK), ("parameters", 0)]),
    CONDITIONS,
)
async def read_error(dut, operand, layout, response, stalls):
    """Of three GEMMs in flight together the second meets an error: it says where, the others are right."""
    bench = await Bench.start(dut, seed=f"{operand}{layout}{response}{stalls}", stalls=stalls)
    gemms = [bench.random_gemm(b_layout=BLayout(layout), parameters=True) for _ in range(4)]
    fault = read_place(bench, gemms[1], operand)
    bench.memory.faults["read", fault] = response
    await bench.submit(gemms[0])
    await bench.submit_one(
        gemms[1].descriptor.pack(), gemm=gemms[1], code=Code.READ_ERROR, faults=[beat(bench, fault)]
    )
    await bench.submit(*gemms[2:])
    await bench.finish()


@cocotb.test(**LIMIT)
@cocotb.parametrize(response=RESPONSES)
async def descriptor_read_error(dut, response):
    """A descriptor that cannot be read is not run, and tells so even if its interrupt flag is lost."""
    bench = await Bench.start(dut, seed=f"descriptor {response}")
    for offset in (0, 31, RECORD_BYTES - 1):
        good = bench.random_gemm(interrupt=False)
        await bench.submit(good)
        fault = bench.next_slot + offset
        bench.memory.faults["read", fault] = response
        data = bench.random_gemm(interrupt=False).descriptor.pack()
        await bench.submit_one(data, code=Code.READ_ERROR, faults=[beat(bench, fault)])
        assert await bench.wait_interrupt() == Interrupt.COMPLETION
        await bench.wait()
        bench.memory.faults.clear()
        await bench.submit(bench.random_gemm(interrupt=False))
    await bench.finish()


@cocotb.test(**LIMIT)
@cocotb.parametrize(CONDITIONS, output=list(Output))
async def write_error(dut, output, response, stalls):
    """The address reported is that of the burst that failed, which holds the byte in question."""
    bench = await Bench.start(dut, seed=f"{output}{response}{stalls}", stalls=stalls)
    gemms = [bench.random_gemm(output=output) for _ in range(4)]
    place, contents = bench.rng.choice(list(gemms[1].row_bytes()))
    fault = place + bench.rng.randrange(len(contents))
    bench.memory.faults["write", fault] = response
    await bench.submit(gemms[0])
    row = range(beat(bench, place), fault + 1)
    await bench.submit_one(gemms[1].descriptor.pack(), gemm=gemms[1], code=Code.WRITE_ERROR, faults=row)
    await bench.submit(*gemms[2:])
    await bench.finish()
    start = bench.record(1).fault_address
    bursts = bench.monitor.bursts.writes
    assert any(address == start and start <= fault < start + length for address, length in bursts)


@cocotb.test(**LIMIT)
@cocotb.parametrize(response=RESPONSES)
async def record_write_error(dut, response):
    """A record that cannot be written raises the fault status and interrupt; the ring goes on."""
    bench = await Bench.start(dut, seed=f"record {response}")
    await bench.submit(bench.random_gemm(interrupt=False))
    await bench.wait()
    gemm = bench.random_gemm(interrupt=False)
    record = bench.next_slot + RECORD_BYTES
    bench.memory.faults["write", record + bench.rng.randrange(40)] = response
    await bench.submit_one(gemm.descriptor.pack(), gemm=gemm, record_lost=True)
    assert await bench.wait_interrupt() == Interrupt.FAULT
    assert await bench.read("status") & Status.FAULT
    assert await bench.read("fault_address") == record
    await bench.wait()
    bench.memory.faults.clear()

    await bench.submit(bench.random_gemm(interrupt=False))
    await bench.wait()
    assert await bench.read("status") == Status.FAULT, "the fault stays until it is cleared"
    await bench.write("status", Status.FAULT)
    assert await bench.read("status") == 0
    assert await bench.read("irq_pending") == 0
    await bench.submit(bench.random_gemm(interrupt=True))
    assert await bench.wait_interrupt() == Interrupt.COMPLETION
    await bench.finish()


@cocotb.test(**LIMIT)
async def everything_fails_at_once(dut):
    """Every beat of every operand and result fails: the first is reported, and all ends."""
    bench = await Bench.start(dut, seed="all", stalls=0.3)
    bad = bench.random_gemm(m=6, k=20, n=9, batch=2, output=Output.INT32, parameters=True)
    d = bad.descriptor
    first = {d.a_address, d.b_address, d.parameter_address}
    for address in first:
        bench.memory.faults.update({("read", address + i): AxiResp.SLVERR for i in range(512)})
    bench.memory.faults.update({("write", d.d_address + i): AxiResp.DECERR for i in range(256)})
    await bench.submit_one(d.pack(), gemm=bad, code=Code.READ_ERROR, faults=first)
    await bench.wait()
    bench.memory.faults.clear()
    await bench.submit(bench.random_gemm(), bench.random_gemm())
    await bench.finish()
