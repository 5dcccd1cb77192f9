"""The boards."""

import functools

from amaranth.utils import exact_log2
from amaranth_boards.arty_a7 import ArtyA7_35Platform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.tang_nano_9k import TangNano9kPlatform
from amaranth_boards.ulx3s import ULX3S_25F_Platform, ULX3S_85F_Platform

from systolith_hw.board.sdram import IS42S16160G
from systolith_hw.config import DIMENSION_BITS, ArrayConfig
from systolith_hw.vendor import ECP5, GW1N9C, GW2A18C, ICE40UP, SERIES7

from .board import Board
from .tang_nano_20k import TangNano20kPlatform

__all__ = ["BOARDS", "find_board"]

KIB = 1024


def _array(memory_bytes, **parameters):
    """A configuration that keeps the bits that a memory needs, unless its parameters say otherwise.

    One bit more of an address than there is memory, so that what lies just outside is told from what lies
    inside. A product of a size of half the memory's bytes has operands that do not fit.
    """
    bits = exact_log2(memory_bytes)
    widths = {"address_bits": bits + 1, "dimension_bits": min(bits - 1, DIMENSION_BITS)}
    return ArrayConfig(**widths | parameters)


def _ulx3s(size, **facts):
    """A Radiona ULX3S, which differ in their part."""
    return Board(
        name=f"ulx3s-{size.lower()}{'-sdram' if 'sdram' in facts else ''}",
        part=f"LFE5U-{size}-6BG381C",
        platform={"25F": ULX3S_25F_Platform, "85F": ULX3S_85F_Platform}[size],
        vendor=ECP5,
        flow="ecp5",
        device=f"{size.removesuffix('F')}k",
        clock_in_hz=25_000_000,
        link="serial line of the FT231X",
        loader="ulx3s",
        **facts,
    )


def _tang_nano(size, **facts):
    """A Sipeed Tang Nano, which differ in their part."""
    return Board(
        name=f"tang-nano-{size}",
        flow="gowin",
        clock_in_hz=27_000_000,
        link="serial line of the USB bridge",
        bus_registers=False,
        loader=f"tangnano{size}",
        **facts,
    )


_8X8 = {
    "rows": 8,
    "columns": 8,
    "a_buffer_lines": 2048,
    "b_buffer_lines": 256,
    "epilogue_lanes": 4,
    "outstanding": 16,
}

_85F = {
    "baud": 1_000_000,
    "capacity": {"LUT": 83640, "FF": 83640, "RAM": 208, "DSP": 156},
}

_BOARDS = [
    _ulx3s(
        "85F",
        clock_hz=100_000_000,
        memory_bytes=128 * KIB,
        array=_array(128 * KIB, **_8X8),
        seed=2,
        **_85F,
    ),
    _ulx3s(
        "85F",
        clock_hz=62_500_000,
        memory_bytes=IS42S16160G.memory_bytes,
        sdram=IS42S16160G,
        array=_array(IS42S16160G.memory_bytes, **_8X8),
        **_85F,
    ),
    _ulx3s(
        "25F",
        clock_hz=90_000_000,
        memory_bytes=32 * KIB,
        array=_array(
            32 * KIB,
            rows=4,
            columns=4,
            a_buffer_lines=512,
            b_buffer_lines=128,
            epilogue_lanes=2,
            outstanding=16,
        ),
        baud=1_000_000,
        capacity={"LUT": 24288, "FF": 24288, "RAM": 56, "DSP": 28},
    ),
    Board(
        name="icebreaker",
        part="iCE40UP5K-SG48",
        platform=ICEBreakerPlatform,
        vendor=ICE40UP,
        flow="ice40",
        device="up5k",
        clock_in_hz=12_000_000,
        clock_hz=30_000_000,
        memory_bytes=128 * KIB,
        array=_array(
            128 * KIB,
            rows=4,
            columns=4,
            a_buffer_lines=256,
            b_buffer_lines=64,
            accumulator_rows=128,
            epilogue_lanes=1,
            lane_cycles=32,
            burst_bytes=16,
            outstanding=2,
            descriptor_slots=1,
            dimension_bits=12,
            counter_bits=24,
            tile_columns=4,
        ),
        baud=1_000_000,
        link="serial line of the FT2232H, channel B",
        queue_bytes=KIB,
        bus_registers=False,
        capacity={"LUT": 5280, "FF": 5280, "RAM": 30, "SPRAM": 4, "DSP": 8},
        loader="ice40_generic",
    ),
    _tang_nano(
        "9k",
        part="GW1NR-LV9QN88PC6/I5",
        platform=functools.partial(TangNano9kPlatform, toolchain="Apicula"),
        vendor=GW1N9C,
        device="GW1N-9C",
        clock_hz=27_000_000,
        memory_bytes=16 * KIB,
        array=_array(
            16 * KIB,
            rows=4,
            columns=4,
            a_buffer_lines=256,
            b_buffer_lines=64,
            accumulator_rows=128,
            epilogue_lanes=1,
            lane_cycles=32,
            burst_bytes=16,
            outstanding=2,
            descriptor_slots=1,
            counter_bits=24,
        ),
        baud=1_000_000,
        capacity={"LUT": 8640, "FF": 6480, "RAM": 26, "DSP": 40},
    ),
    _tang_nano(
        "20k",
        part="GW2AR-LV18QN88C8/I7",
        platform=functools.partial(TangNano20kPlatform, toolchain="Apicula"),
        vendor=GW2A18C,
        device="GW2A-18C",
        clock_hz=27_000_000,
        memory_bytes=32 * KIB,
        array=_array(
            32 * KIB,
            rows=4,
            columns=4,
            a_buffer_lines=512,
            b_buffer_lines=128,
            epilogue_lanes=1,
            outstanding=4,
        ),
        baud=1_000_000,
        capacity={"LUT": 20736, "FF": 15552, "RAM": 46, "DSP": 96},
    ),
    Board(
        name="arty-a7",
        part="xc7a35ticsg324-1L",
        platform=functools.partial(ArtyA7_35Platform, toolchain="Vivado"),
        vendor=SERIES7,
        flow="vivado",
        device="xc7a35ticsg324-1L",
        clock_in_hz=100_000_000,
        clock_hz=100_000_000,
        memory_bytes=64 * KIB,
        array=_array(64 * KIB, **_8X8),
        baud=1_000_000,
        link="serial line of the FT2232H, channel B",
        capacity={"LUT": 20800, "FF": 41600, "RAM": 50, "DSP": 90},
        loader="arty_a7_35t",
    ),
]

BOARDS = {board.name: board for board in _BOARDS}
"""Every board by name."""


def find_board(name):
    """The board of that name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in BOARDS:
        raise ValueError(f"unknown board {name!r}; known are {', '.join(BOARDS)}")
    return BOARDS[name]
