"""The accumulators' loop form beside its definition, in one model that drives both at random.

Sums are made in several passes over one half, its rows in turn and with pauses, while rows of the other half
are read; now and then both are reset with accesses under way. The model ends with an error in the first cycle
that differs, and raises its interrupt when it has compared enough.
"""

import pytest
from amaranth.back import verilog
from systolith_hw import ArrayConfig
from systolith_hw.accumulators import Accumulators
from systolith_hw.array import psum_latency
from systolith_hw.row_feeder import RowFeeder
from systolith_sim import SimulationError, Simulator, build_verilog
from systolith_sim.loops.accumulators import MODULE, accumulators_source
from systolith_sim.ports import device_ports

CYCLES = 200_000
ENOUGH = 1000
"""Rows read, tiles done and resets."""

TOP = """
module systolith({ports});
  {outputs}
  reg [63:0] random = 64'h9e3779b97f4a7c15;
  reg [{row_bits}-1:0] row = 0, read_row = 0;
  reg [2:0] turn = 0;
  reg [7:0] quiet = 0, pause = 0;
  reg [31:0] reads = 0, tiles = 0, resets = 0;
  assign irq = reads > {enough} && tiles > {enough} && resets > {enough} / 2;
  reg valid = 0, half = 0, first = 0, tile_end = 0, read_enable = 0, was_reading = 0, inner_rst = 1;
  reg [{sum_bits}-1:0] psum = 0;
  wire [{sum_bits}-1:0] read_data, read_data_loops;
  wire tile_done, tile_done_loops;
  wire last_row = &row;
  task automatic step();
    reg [{sum_bits}-1:0] sums;
    random = random ^ (random << 13);
    random = random ^ (random >> 7);
    random = random ^ (random << 17);
    inner_rst <= rst | (random[63:56] == 0);
    psum <= {{psum[{sum_bits}-33:0], random[31:0]}};
    // The next row of the pass, the next pass, and after the last the other half.
    if (valid) begin
      row <= row + 1;
      if (last_row) turn <= turn == 4 ? 0 : turn + 1;
      if (last_row && turn == 4) half <= ~half;
    end
    // Nothing of the other half is on its way any more.
    quiet <= valid && last_row && turn == 4 ? 0 : quiet == 255 ? 255 : quiet + 1;
    pause <= pause == 0 ? (random[7:0] == 0 ? 60 : 0) : pause - 1;
    valid <= random[34:32] != 0 && pause == 0 && ~inner_rst;
    tile_end <= random[37:35] == 0;
    read_enable <= random[38] && quiet > {settled} && ~(valid && last_row) && ~inner_rst;
    read_row <= random[50:39];
    was_reading <= read_enable && ~inner_rst;
    reads <= reads + was_reading;
    tiles <= tiles + tile_done;
    resets <= resets + inner_rst;
  endtask
  always @(posedge clk) begin
    if (tile_done != tile_done_loops) $fatal(1, "tile_done differs");
    if (was_reading && read_data != read_data_loops) $fatal(1, "read_data differs");
    step();
  end
  definition definition(.clk(clk), .rst(inner_rst), .access({{tile_end, row, half, turn == 0, valid}}),
    .psum(psum), .read_enable(read_enable), .read_half(~half), .read_row(read_row), .read_data(read_data),
    .tile_done(tile_done));
  {module} loops(.clk(clk), .rst(inner_rst), .valid(valid), .first(turn == 0), .half(half), .row(row),
    .tile_end(tile_end), .psum(psum), .read_enable(read_enable), .read_half(~half), .read_row(read_row),
    .read_data(read_data_loops), .tile_done(tile_done_loops));
endmodule
"""


def run(cache, config, patch=None):
    """Drive both for a while; ``patch`` changes the loops' text."""
    delay_cycles = RowFeeder.LATENCY + psum_latency(config.rows)
    size = {"columns": config.columns, "rows": config.accumulator_rows}
    source = accumulators_source(**size, delay_cycles=delay_cycles)
    if patch:
        assert source.count(patch[0]) == 1
        source = source.replace(*patch)
    options = {"name": "definition", "emit_src": False, "strip_internal_attrs": True}
    definition = verilog.convert(Accumulators(config, delay_cycles=delay_cycles), **options)
    ports = device_ports(32).items()
    top = TOP.format(
        ports=", ".join(f"{direction} [{width - 1}:0] {name}" for name, (direction, width) in ports),
        outputs=" ".join(
            f"assign {name} = 0;" for name, (direction, _) in ports if direction == "output" and name != "irq"
        ),
        row_bits=(config.accumulator_rows - 1).bit_length(),
        sum_bits=32 * config.columns,
        settled=delay_cycles + config.columns + 4,
        enough=ENOUGH,
        module=MODULE,
    )
    library = build_verilog(definition + source + top, cache=cache)
    with Simulator(library, memory_bytes=4096) as simulator:
        simulator.run(max_cycles=CYCLES, until=None)
        assert simulator.irq


@pytest.mark.parametrize("array", ["2x2-acc4", "8x4-acc16", "2x16-acc16"])
def test_accumulators(cache, array):
    run(cache, ArrayConfig.parse(array))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "signal"),
    [
        # What is under way survives a reset.
        (("i < 13; i++) accesses[i] = 0", "i < 1; i++) accesses[i] = 0"), "tile_done"),
        # Work ends before the last sum is written.
        (("if (valid) busy_cycles = 14", "if (valid) busy_cycles = 12"), "read_data"),
        # The sums of a tile begin with what was there.
        (("[1] ? 0 : old[c]", "[1] ? old[c] : old[c]"), "read_data"),
        # One column's sum of another row.
        ((">> 3) + c] = total[c]", ">> 3) + c] = total[c & 2]"), "read_data"),
    ],
    ids=["reset", "busy", "first", "column"],
)
def test_accumulators_seeded(cache, patch, signal):
    with pytest.raises(SimulationError, match=f"the model failed in cycle .*: {signal} differs$"):
        run(cache, ArrayConfig.parse("4x4-acc4"), patch)
