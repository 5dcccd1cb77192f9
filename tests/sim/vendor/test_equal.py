"""What vendors' cells are used for does what the generic form does, in every cycle."""

import pytest
from amaranth.back import verilog
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from sim.netlist.mixture import device
from systolith_hw.array import SystolicArray
from systolith_hw.requantize import RequantizerLanes
from systolith_hw.vendor import ECP5, GW1N9C, ICE40UP
from systolith_hw.vendor.ice40 import SPRAM_WORDS, SpramStore
from systolith_hw.vendor.single_port import SinglePortStore
from systolith_sim import SimulationError, Simulator, Variant, build_verilog
from systolith_sim.netlist import FAMILIES

CYCLES = 20_000
NOISE_BITS = 256

BENCH = """
  reg [255:0] noise = 256'h1;
  integer i;
  wire equal;
  pair pair (.clk(clk), .rst(rst), .noise(noise), .equal(equal));
  always @(posedge clk) begin
    for (i = 0; i < 8; i = i + 1) noise[32*i +: 32] <= $urandom;
    if (!rst && !equal) $fatal(1, "the two differ");
  end
"""


class Arrays(wiring.Component):
    """Two arrays side by side.

    Parameters
    ----------
    array : type
        Makes the one that is not generic.
    """

    def __init__(self, array, **geometry):
        self._arrays = [made(**geometry, operand_bits=8, psum_bits=19) for made in (SystolicArray, array)]
        super().__init__({"noise": In(NOISE_BITS), "equal": Out(1)})

    def elaborate(self, platform):
        m = Module()
        generic, vendors = self._arrays
        for name, array in (("generic", generic), ("vendors", vendors)):
            m.submodules[name] = array
            m.d.comb += [
                array.a.as_value().eq(self.noise),
                array.swap.eq(self.noise[128:131].all()),
                array.load.as_value().eq(self.noise[140:]),
            ]
        m.d.comb += self.equal.eq(generic.psum.as_value() == vendors.psum.as_value())
        return m


class Lanes(wiring.Component):
    """Two epilogues' lanes side by side.

    Parameters
    ----------
    made : type
        Makes those that are not generic.
    """

    def __init__(self, made, *, lanes):
        self._lanes = [RequantizerLanes(lanes=lanes), made(lanes=lanes)]
        super().__init__({"noise": In(NOISE_BITS), "equal": Out(1)})

    def elaborate(self, platform):
        m = Module()
        generic, vendors = self._lanes
        for name, lanes in (("generic", generic), ("vendors", vendors)):
            m.submodules[name] = lanes
            m.d.comb += [
                lanes.valid.eq(self.noise[:2].any()),
                lanes.int8.eq(self.noise[2:4].any()),
                lanes.relu.eq(self.noise[4:6].all()),
                lanes.accumulators.as_value().eq(self.noise[8:]),
                lanes.parameters.as_value().eq(self.noise[100:]),
            ]
        m.d.comb += self.equal.eq(generic.results.as_value() == vendors.results.as_value())
        return m


class Stores(wiring.Component):
    """Two memories with one port side by side; compared where a word was read."""

    def __init__(self, *, data_bits, depth):
        self._stores = [made(data_bits=data_bits, depth=depth) for made in (SinglePortStore, SpramStore)]
        self._depth = depth
        super().__init__({"noise": In(NOISE_BITS), "equal": Out(1)})

    def elaborate(self, platform):
        m = Module()
        generic, vendors = self._stores
        # Few words, in both halves, all of which are written before the first is read.
        begun = Signal(range(10))
        address = Signal.like(generic.address)
        enable = Signal()
        strobe = Signal.like(generic.write_strobe)
        was_read = Signal()
        with m.If(begun < 8):
            m.d.sync += begun.eq(begun + 1)
            m.d.comb += [address.eq(begun << len(address) - 3), enable.eq(1), strobe.eq(-1)]
        with m.Else():
            m.d.comb += [
                address.eq(self.noise[:3] << len(address) - 3),
                enable.eq(self.noise[3]),
                strobe.eq(self.noise[4].replicate(len(strobe)) & self.noise[8:]),
            ]
        with m.If(enable):
            m.d.sync += was_read.eq(~strobe.any())
        for name, store in (("generic", generic), ("vendors", vendors)):
            m.submodules[name] = store
            m.d.comb += [
                store.enable.eq(enable),
                store.address.eq(address),
                store.write_strobe.eq(strobe),
                store.write_data.eq(self.noise[64:]),
            ]
        m.d.comb += self.equal.eq(~was_read | (generic.read_data == vendors.read_data))
        return m


def run(pair, family, cache, *, spoil=("", "")):
    """Run a pair for some thousand cycles, with the cells' models spoilt if asked for."""
    design = verilog.convert(pair, name="pair", emit_src=False)
    models = FAMILIES[family].models()
    assert spoil[0] in models
    text = device(BENCH) + design + models.replace(*spoil)
    library = build_verilog(text, variant=Variant.QUICK, cache=cache)
    with Simulator(library, memory_bytes=4096) as simulator:
        simulator.run(max_cycles=CYCLES, until=None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("vendor", "family"),
    [(ECP5, "ecp5"), (ICE40UP, "ice40"), (GW1N9C, "gowin")],
    ids=["ecp5", "ice40", "gowin"],
)
@pytest.mark.parametrize("tile_columns", [1, 2, 4])
def test_array(vendor, family, tile_columns, cache):
    run(Arrays(vendor.lowering.array, rows=3, columns=4, tile_columns=tile_columns), family, cache)


@pytest.mark.slow
def test_lanes(cache):
    run(Lanes(ECP5.lowering.lanes, lanes=2), "ecp5", cache)


@pytest.mark.slow
@pytest.mark.parametrize("data_bits", [32, pytest.param(64, marks=pytest.mark.long)])
def test_spram(data_bits, cache):
    run(Stores(data_bits=data_bits, depth=2 * SPRAM_WORDS), "ice40", cache)


@pytest.mark.parametrize(
    ("tile_columns", "spoil"),
    [
        (1, ("assign p_Al_Bl = Al * Bl;", "assign p_Al_Bl = Al + Bl;")),
        (2, ("if (!AHOLD) rA <= A;", "rA <= A;")),
    ],
    ids=["product", "hold"],
)
def test_array_wrong(tile_columns, spoil, cache):
    """The comparison finds a cell that is not what it should be."""
    arrays = Arrays(ICE40UP.lowering.array, rows=2, columns=2, tile_columns=tile_columns)
    with pytest.raises(SimulationError, match="the model failed"):
        run(arrays, "ice40", cache, spoil=spoil)
