"""The bitstream itself runs: decoded, it multiplies matrices behind its serial pins."""

import shutil

import numpy as np
import pytest
from sim.netlist import bitstream
from sim.netlist.engine import REQUEST_BYTES, ROWS_OF_A, SIZE, WORD_BYTES, MatrixEngine
from systolith_hw import ArrayConfig
from systolith_sim.netlist import FAMILIES
from systolith_sim.simboard import BoardSetup, SimulatedBoard, build_board_verilog

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which(bitstream.DECODER) is None,
        reason=f"{bitstream.DECODER} is not installed: apt install fpga-icestorm",
    ),
]

CLOCK_HZ, BAUD = 12_000_000, 3_000_000
PRODUCTS = 8
ANSWER_BYTES = SIZE * ROWS_OF_A * WORD_BYTES
BYTE_CYCLES = 10 * CLOCK_HZ // BAUD


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bitstream")


@pytest.fixture(scope="module")
def tiles(folder):
    made = bitstream.make(MatrixEngine(clock_hz=CLOCK_HZ, baud=BAUD), folder)
    return bitstream.unpack(made, folder)


def products(verilog, cache):
    """What the chip answers to random operands, with what it should."""
    setup = BoardSetup(config=ArrayConfig(), clock_hz=CLOCK_HZ, baud=BAUD)
    library = build_board_verilog(verilog + FAMILIES["ice40"].models(), is_netlist=True, cache=cache)
    rng = np.random.default_rng(0)
    with SimulatedBoard(library, setup) as board:
        for _ in range(PRODUCTS):
            b = rng.integers(-128, 128, (SIZE, SIZE), np.int8)
            a = rng.integers(-128, 128, (ROWS_OF_A, SIZE), np.int8)
            request = b.tobytes() + a.tobytes()
            assert len(request) == REQUEST_BYTES
            board.send(request)
            answer = b""
            end = board.cycles + 2 * BYTE_CYCLES * (REQUEST_BYTES + ANSWER_BYTES)
            while len(answer) < ANSWER_BYTES and board.cycles < end:
                answer += board.run(end - board.cycles)
            yield answer, (a.astype(np.int32) @ b.astype(np.int32)).tobytes()


def test_bitstream(tiles, folder, cache):
    for answer, wanted in products(bitstream.decode(tiles, folder), cache):
        assert answer == wanted


def test_flipped_bit(tiles, folder, cache):
    """Of the table of one LUT of an adder: products are wrong."""
    damaged = bitstream.unpack(bitstream.pack(bitstream.flip_sum(tiles), folder), folder)
    differ = [
        1
        for old, new in zip(tiles.splitlines(), damaged.splitlines(), strict=True)
        for one, other in zip(old, new, strict=True)
        if one != other
    ]
    assert len(differ) == 1
    answers = list(products(bitstream.decode(damaged, folder), cache))
    assert any(answer != wanted for answer, wanted in answers)
