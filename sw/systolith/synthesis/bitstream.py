"""Bitstreams, and what became of them as plain data."""

import dataclasses

from systolith_hw.baud import bit_period

from .boards import load_boards
from .errors import translated_errors

__all__ = ["build_bitstream", "line_baud", "made_clock", "write_project"]


def made_clock(name, clock_mhz):
    """Refuse a clock that a board's PLL cannot make, or its SDRAM cannot have.

    Parameters
    ----------
    name : str
    clock_mhz : float or None
        None: the board's.

    Returns
    -------
    int
        The clock that it makes, in Hz.

    Raises
    ------
    ValueError
        Names the nearest that it can make, or the range.
    """
    board = load_boards().find_board(name)
    wanted = board.clock_hz if clock_mhz is None else clock_mhz * 1e6
    clock_hz = round(board.vendor.pll(board.clock_in_hz, wanted).output_hz)
    if board.sdram is not None:
        board.sdram.check_clock(clock_hz)
    return clock_hz


def line_baud(name, baud, *, clock_hz):
    """Refuse a baud rate that a board's link cannot have at this clock.

    Parameters
    ----------
    name : str
    baud : int or None
        None: the board's.
    clock_hz : int

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Names the range.
    """
    baud = load_boards().find_board(name).baud if baud is None else baud
    bit_period(clock_hz, baud)
    return baud


def build_bitstream(
    name,
    config,
    folder,
    *,
    clock_hz,
    baud,
    seeds=1,
    first_seed=None,
    allow_timing_failure=False,
    progress=None,
):
    """Make a board's bitstream.

    Parameters
    ----------
    name : str
    config : ArrayConfig
    folder : Path
    clock_hz, baud : int
    seeds : int
    first_seed : int or None
    allow_timing_failure : bool
    progress : callable or None

    Returns
    -------
    dict
        ``error`` is why there is no bitstream, or None.

    Raises
    ------
    TargetUnavailable
        If a tool is missing.
    BuildFailed
        If the design does not fit, or a tool refuses it.
    """
    boards = load_boards()
    board = boards.find_board(name)
    error = None
    with translated_errors():
        try:
            made = boards.build(
                board,
                config,
                folder,
                clock_hz=clock_hz,
                baud=baud,
                seeds=seeds,
                first_seed=first_seed,
                allow_timing_failure=allow_timing_failure,
                progress=progress,
            )
        except boards.TimingError as too_slow:
            made, error = too_slow.build, str(too_slow)
    return _facts(board, made) | {"baud": baud, "error": error}


def write_project(name, config, folder, *, clock_hz, baud):
    """Write a project for the vendor's own tool, into a folder that exists.

    Returns
    -------
    dict

    Raises
    ------
    TargetUnavailable
        If a tool is missing.
    BuildFailed
        If the design does not fit.
    """
    boards = load_boards()
    board = boards.find_board(name)
    with translated_errors():
        boards.check_fit(board, config)
        made_hz, files = boards.emit(board, config, folder, clock_hz=clock_hz, baud=baud)
    return {
        "board": name,
        "array": str(config),
        "clock_mhz": made_hz / 1e6,
        "baud": baud,
        "folder": str(folder),
        "files": sorted(files),
        "bitstream": None,
        "error": None,
    }


def _facts(board, made):
    """A build as plain data."""
    report, manifest = made.report, made.manifest
    config = made.config
    gmacs = config.peak_macs_per_cycle * made.clock_hz / 1e9
    used = report.used
    return {
        "board": board.name,
        "part": board.part,
        "array": str(config),
        "config_hash": config.content_hash,
        "clock_mhz": made.clock_hz / 1e6,
        "timing_met": report.margin >= 1,
        "fmax": {
            clock: {"mhz": mhz, "wanted_mhz": report.constraint_mhz[clock]}
            for clock, mhz in report.fmax_mhz.items()
        },
        "resources": {name: {"used": used[name], "available": report.available[name]} for name in used},
        "critical_path": None if report.critical is None else _path(report.critical),
        "gmacs_per_s": gmacs,
        "luts_per_element": used["LUT"] / config.peak_macs_per_cycle,
        "gmacs_per_s_per_dsp": gmacs / used["DSP"] if used["DSP"] else None,
        "seed": made.seed,
        "seeds": {str(seed): mhz for seed, mhz in made.seeds.items()},
        "failures": {str(seed): reason for seed, reason in made.failures.items()},
        "seconds": round(made.seconds, 1),
        "folder": str(made.folder),
        "bitstream": None if manifest is None else str(made.folder / manifest.bitstream),
        "manifest": None if manifest is None else dataclasses.asdict(manifest),
    }


def _path(critical):
    return {
        "start": critical.start,
        "end": critical.end,
        "delay_ns": round(critical.delay_ns, 3),
        "steps": [dataclasses.asdict(step) for step in critical.steps],
    }
