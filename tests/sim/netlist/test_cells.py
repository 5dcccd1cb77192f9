"""The cells' models: what a design is mapped to behaves as it does; what they do not know is refused."""

import pytest
from sim.netlist.mixture import bench, device
from systolith_sim import BuildError, SimulationError, Simulator, Variant, build_verilog
from systolith_sim.netlist import FAMILIES, find_subject

CYCLES = 20_000


def run(verilog, cache, cycles):
    library = build_verilog(verilog, variant=Variant.QUICK, cache=cache)
    with Simulator(library, memory_bytes=4096) as simulator:
        simulator.run(max_cycles=cycles, until=None)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", FAMILIES)
def test_cells(family, cache):
    """Random accesses; of transparent memories, in the same word as often as not."""
    run(bench(find_subject(family)), cache, CYCLES)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cells_wrong_model(cache):
    """The bench finds a model that is wrong in one bit."""
    verilog = bench(find_subject("ecp5"))
    wrong = verilog.replace("wide_a = {a[18] & a[17],", "wide_a = {a[18] | a[17],")
    assert wrong != verilog
    with pytest.raises(SimulationError, match="the model failed"):
        run(wrong, cache, CYCLES)


REFUSED = [
    (
        "ecp5",
        'MULT18X18D #(.MULT_BYPASS("ENABLED")) u (.A0(clk));',
        "MULT18X18D: a mode that is not modelled",
    ),
    ("ecp5", 'MULT18X18D #(.REG_INPUTA_CLK("CLK7")) u (.A0(clk));', "a register that is not modelled"),
    ("ecp5", "MULT18X18D u (.SROA0());", "Pin not found: 'SROA0'"),
    ("ecp5", 'DP16KD #(.CSDECODE_A("0b001")) u (.CLKA(clk));', "DP16KD: a mode that is not modelled"),
    ("ecp5", "DP16KD #(.DATA_WIDTH_A(12)) u (.CLKA(clk));", "a width that is not modelled"),
    ("ecp5", 'DP16KD #(.WRITEMODE_A("X")) u (.CLKA(clk));', "a write mode that is not modelled"),
    ("ecp5", 'TRELLIS_FF #(.SRMODE("ASYNC")) u (.CLK(clk));', "TRELLIS_FF: a mode that is not modelled"),
    ("ecp5", "EHXPLLL u (.CLKI(clk));", "Cannot find .*'EHXPLLL'"),
    (
        "gowin",
        'MULT9X9 #(.AREG(1), .MULT_RESET_MODE("ASYNC")) u (.CLK(clk));',
        "asynchronous reset is not modelled",
    ),
    ("gowin", "MULT9X9 u (.SOA());", "Pin not found: 'SOA'"),
    ("gowin", "SDPB #(.BIT_WIDTH_0(3)) u (.CLKA(clk));", "a width that is not modelled"),
    ("gowin", "SP u (.CLK(clk));", "Cannot find .*'SP'"),
    ("ice40", "SB_PLL40_PAD u (.PACKAGEPIN(clk));", "Cannot find .*'SB_PLL40_PAD'"),
]
"""A cell of a family in a mode that has no model, and what the error tells."""


@pytest.mark.parametrize(("family", "cell", "message"), REFUSED)
def test_mode_refused(family, cell, message, cache):
    """What is not modelled is an error when the model is built."""
    with pytest.raises(BuildError, match=message):
        build_verilog(device(cell) + find_subject(family).family.models(), cache=cache)


FATAL = {
    "ecp5": [
        "MULT18X18D u (.SOURCEA(started));",
        'DP16KD #(.RESETMODE("ASYNC")) u (.RSTA(started));',
        "DP16KD #(.DATA_WIDTH_A(36)) u (.WEB(started), .CEB(started));",
        "DP16KD u (.CLKA(clk), .CLKB(clk), .CEA(started), .WEA(1'b1), .CEB(1'b1), .WEB(1'b1));",
    ],
    "gowin": ["MULT9X9 u (.ASEL(started));", "SDPX9B u (.RESETB(started));"],
}


@pytest.mark.parametrize("family", FATAL)
def test_mode_fatal(family, cache):
    """What a signal chooses is an error when it runs, in that cycle and not before."""
    cells = FATAL[family]
    body = "integer cycle = 0; always @(posedge clk) if (!rst) cycle <= cycle + 1;\n"
    for number, cell in enumerate(cells):
        named = cell.replace(" u (", f" cell_{number} (")
        body += f"wire started_{number} = s_axil_wdata == {number + 1} && cycle > 3;\n"
        body += named.replace("started", f"started_{number}") + "\n"
    library = build_verilog(
        device(body) + find_subject(family).family.models(), variant=Variant.QUICK, cache=cache
    )
    for number, cell in enumerate(cells):
        with Simulator(library, memory_bytes=4096) as simulator:
            simulator.run(max_cycles=10, until=None)
            with pytest.raises(SimulationError, match="the model failed"):
                simulator.write_register(0, number + 1)
            assert simulator.cycles <= 12, cell
