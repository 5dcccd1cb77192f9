"""A board whose device memory is an SDRAM."""

import random

import pytest
from sim.netlist.mixture import device
from sim.simboard.frames import BOARD, DECERR, MEMORY, OKAY
from sim.simboard.host import Host
from systolith_hw import ArrayConfig
from systolith_hw.board.sdram import IS42S16160G
from systolith_hw.link import BOARD_REGISTERS
from systolith_sim import SimulationError, Simulator, Variant, build_verilog
from systolith_sim.simboard import BoardSetup, SimulatedBoard, build_board, emit

SETUP = BoardSetup(config=ArrayConfig.parse("2x2"), sdram=IS42S16160G, baud=2_000_000)


MODE, ACTIVATE, READ, WRITE, REFRESH, PRECHARGE = 7, 1, 2, 6, 3, 5
"""Commands, as ``{we, cas, ras}``."""
OTHER_MODE = 8 | MODE
"""With a CAS latency that is not the chip's."""

WRONG = {
    "a row is opened while another is, or before the mode is set": [ACTIVATE],
    "a read of a closed bank": [MODE, READ],
    "a write to a closed bank": [MODE, ACTIVATE, PRECHARGE, WRITE],
    "a refresh while a row is open": [MODE, REFRESH, ACTIVATE, REFRESH],
    "a mode that is not simulated": [OTHER_MODE],
    "a row is open for too long": [MODE, REFRESH, ACTIVATE],
    "refreshes are overdue": [MODE, REFRESH, ACTIVATE, READ, PRECHARGE],
}
"""What is told of which commands, one a cycle and then no more."""

CHIP_BENCH = """
  reg [7:0] step = 0;
  reg [3:0] command;
  always @(posedge clk) if (s_axil_wvalid && step != 255) step <= step + 1;
  always @* case ({{s_axil_wdata[7:0], step}})
    {commands}
    default: command = 0;
  endcase
  sdram_chip #(.OPEN_CYCLES_MAX(20), .REFRESH_CYCLES(6)) chip(
    .clk(clk), .clk_en(1'b1), .cs(s_axil_wvalid && command != 0),
    .ras(command[0]), .cas(command[1]), .we(command[2]), .ba(2'd0),
    .a(command == {MODE} ? 13'd32 : 13'd0), .dqm(2'b0), .dq_o(16'b0), .dq_i()
  );
"""


@pytest.fixture(scope="module")
def chip(tmp_path_factory):
    """A device that gives a chip the commands of the number that is written to it."""
    commands = [
        f"16'd{number << 8 | step}: command = {command};"
        for number, wrong in enumerate(WRONG.values())
        for step, command in enumerate(wrong)
    ]
    body = CHIP_BENCH.format(commands="\n    ".join(commands), MODE=MODE)
    text = device(body) + emit.SDRAM_CHIP.read_text()
    return build_verilog(text, variant=Variant.QUICK, cache=tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("message", WRONG)
def test_chip_wrong(chip, message):
    """A controller that breaks a rule ends the simulation, which says what rule that was."""
    with Simulator(chip, memory_bytes=4096) as simulator:
        with pytest.raises(SimulationError, match=f": SDRAM: {message}$"):
            simulator.write_register(0, list(WRONG).index(message))


@pytest.fixture
def host():
    with SimulatedBoard(build_board(SETUP), SETUP) as board:
        yield Host(board)


def test_memory(host):
    rng = random.Random(5)
    size = IS42S16160G.memory_bytes
    written = {}
    for start in [0, size - 256, *(rng.randrange(size - 256) for _ in range(40))]:
        written[start] = rng.randbytes(rng.randint(1, 256))
        assert host.ask(MEMORY, start, written[start]) == (OKAY, b"")
    for start, data in written.items():
        assert host.ask(MEMORY, start, len(data)) == (OKAY, data)
    assert host.ask(MEMORY, size, 4)[0] == DECERR


def test_reset(host):
    """Memory is as it was, however often and soon after an access the board is reset."""
    rng = random.Random(7)
    data = bytearray(rng.randbytes(2048))
    for start in range(0, len(data), 256):
        assert host.ask(MEMORY, start, bytes(data[start : start + 256])) == (OKAY, b"")
    for _ in range(10):
        start, piece = rng.randrange(len(data) - 8), rng.randbytes(8)
        data[start : start + 8] = piece
        assert host.ask(MEMORY, start, piece) == (OKAY, b"")
        assert host.ask(BOARD, BOARD_REGISTERS["control"].offset, b"\x01\0\0\0") == (OKAY, b"")
    assert host.read(0, len(data)) == data
