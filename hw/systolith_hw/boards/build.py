"""From a board's name to its bitstream."""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import os
import shutil
import time
from pathlib import Path

from systolith_hw.config import ArrayConfig
from systolith_hw.manifest import MANIFEST_NAME, Manifest

from .design import BoardDesign
from .fit import check_fit, check_netlist, check_used
from .flow import FLOWS, NETLIST, PLACED, REPORT, SYNTHESIS_LOG
from .pictures import FLOORPLAN, RESOURCES, draw_pictures
from .report import Report, read_report
from .scratch import scratch_folder
from .tools import FlowError, ToolFailedError, kill_tools

__all__ = ["Build", "TimingError", "build", "emit"]

TOP = "top"

FAILED = "failed.log"
"""What a tool said that refused its input."""

POLL_SECONDS = 0.1

KEPT = {
    NETLIST: NETLIST,
    PLACED: f"seed{{seed}}.{PLACED}",
    REPORT: f"seed{{seed}}.{REPORT}",
    "nextpnr.log": "seed{seed}.log",
    SYNTHESIS_LOG: SYNTHESIS_LOG,
}
"""What stays beside the bitstream, and what it is called while it is made."""


class TimingError(FlowError):
    """The design is too slow for its clock.

    Parameters
    ----------
    message : str
    build : Build
        Without a bitstream.
    """

    def __init__(self, message, build):
        super().__init__(message)
        self.build = build


@dataclasses.dataclass(frozen=True, kw_only=True)
class Build:
    """What was built.

    Members
    -------
    board : str
    config : ArrayConfig
    clock_hz : int
        The clock that the board runs at.
    seed : int
        The best of those that were placed.
    seeds : dict of int to float or None
        Every seed, and the slowest clock's Fmax in MHz; None where placing or routing failed.
    failures : dict of int to str
        Why it did.
    report : Report
    seconds : float
        Of everything.
    manifest : Manifest or None
        None if there is no bitstream.
    folder : Path
        Of all files.
    """

    board: str
    config: ArrayConfig
    clock_hz: int
    seed: int
    seeds: dict[int, float | None]
    failures: dict[int, str]
    report: Report
    seconds: float
    manifest: Manifest | None
    folder: Path


def emit(board, config, folder, *, clock_hz, baud=None):
    """Write the design and its constraints: all that the tools of the board need.

    Parameters
    ----------
    board : Board
    config : ArrayConfig
    folder : Path
        Exists.
    clock_hz : int
    baud : int or None
        None: the board's.

    Returns
    -------
    clock_hz : int
        That the board runs at.
    files : list of str

    Raises
    ------
    ClockError
        If the PLL cannot make the clock.
    """
    pll = board.vendor.pll(board.clock_in_hz, clock_hz)
    design = BoardDesign(board, config, pll=pll, baud=baud or board.baud)
    plan = board.platform().prepare(design, TOP)
    for name, contents in plan.files.items():
        text = contents if isinstance(contents, str) else contents.decode()
        (folder / name).write_text(text, encoding="utf-8")
    return design.clock_hz, list(plan.files)


def build(
    board,
    config,
    folder,
    *,
    clock_hz=None,
    baud=None,
    seeds=1,
    first_seed=None,
    workers=None,
    allow_timing_failure=False,
    progress=None,
):
    """Make a bitstream.

    Parameters
    ----------
    board : Board
    config : ArrayConfig
    folder : Path
        Where the files go: the bitstream and its manifest only if all went well, and then at once.
    clock_hz : int or None
        None: the board's.
    baud : int or None
        Likewise.
    seeds : int
        How often it is placed, each time from another beginning; the best is kept.
    first_seed : int or None
        None: the board's.
    workers : int or None
        How many are placed at once; None: one for each core that there is.
    allow_timing_failure : bool
        Make the bitstream even if it is too slow for the clock.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Returns
    -------
    Build

    Raises
    ------
    ClockError
        If the PLL cannot make the clock.
    MissingToolError, ToolFailedError
    FlowError
        If the design does not fit.
    TimingError
        If it is too slow.
    """
    start = time.monotonic()
    tell = progress or (lambda _line: None)
    first_seed = board.seed if first_seed is None else first_seed
    numbers = range(first_seed, first_seed + seeds)
    flow = FLOWS[board.flow]
    tools = flow.versions()
    check_fit(board, config)
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (MANIFEST_NAME, board.name + flow.suffix, FAILED, *KEPT, FLOORPLAN, RESOURCES):
        (folder / stale).unlink(missing_ok=True)
    with scratch_folder(folder) as work:
        tell(f"emitting the design of {board.name}, array {config}")
        made_hz, _ = emit(board, config, work, clock_hz=clock_hz or board.clock_hz, baud=baud)
        tell("synthesizing")
        with _log_kept(folder):
            flow.synthesize(work, board=board)
            check_netlist(board, config, flow, work / NETLIST)
            reports, failures = _place_all(
                board,
                config,
                work,
                clock_hz=made_hz,
                seeds=numbers,
                workers=workers,
                tell=tell,
            )
        seed = max(reports, key=lambda seed: reports[seed].margin)
        best = Build(
            board=board.name,
            config=config,
            clock_hz=made_hz,
            seed=seed,
            seeds={
                number: min(reports[number].fmax_mhz.values()) if number in reports else None
                for number in numbers
            },
            failures=failures,
            report=reports[seed],
            seconds=time.monotonic() - start,
            manifest=None,
            folder=folder,
        )
        for name, source in KEPT.items():
            shutil.copyfile(work / source.format(seed=seed), folder / name)
        is_too_slow = best.report.margin < 1 and not allow_timing_failure
        manifest = None
        if not is_too_slow:
            tell("packing the bitstream")
            with _log_kept(folder):
                manifest = _pack(board, best, work, baud=baud or board.baud, tools=tools)
    draw_pictures(
        folder / PLACED,
        folder,
        table={name: (used, best.report.available[name]) for name, used in best.report.used.items()},
        resources=flow.resources,
        title=f"{board.name}, array {config.rows}×{config.columns}",
    )
    if is_too_slow:
        raise TimingError(_too_slow(best), best)
    return dataclasses.replace(best, manifest=manifest, seconds=time.monotonic() - start)


@contextlib.contextmanager
def _log_kept(folder):
    """Keep what a tool said if it fails."""
    try:
        yield
    except ToolFailedError as error:
        (folder / FAILED).write_text(error.log, encoding="utf-8")
        raise


def _place_all(board, config, work, *, clock_hz, seeds, workers, tell):
    """Place every seed; reports by seed, and why there is none of the others.

    Raises
    ------
    ToolFailedError
        If there is none at all.
    """
    flow = FLOWS[board.flow]

    def place(seed):
        name = f"seed{seed}"
        try:
            flow.place(work, name=name, board=board, clock_hz=clock_hz, seed=seed)
        except ToolFailedError as error:
            check_used(board, config, flow, error.log)
            return error
        return read_report(work / f"{name}.{REPORT}", resources=flow.resources)

    workers = min(workers or len(os.sched_getaffinity(0)), len(seeds))
    tell(f"placing and routing {len(seeds)} time{'s' if len(seeds) > 1 else ''}, {workers} at once")
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(place, seed) for seed in seeds]
        try:
            results = {seed: future.result() for seed, future in zip(seeds, futures, strict=True)}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(future.done() for future in futures):
                kill_tools(work)
                time.sleep(POLL_SECONDS)
            raise
    failures = {seed: result for seed, result in results.items() if isinstance(result, ToolFailedError)}
    if len(failures) == len(seeds):
        raise failures[seeds[0]]
    reports = {seed: result for seed, result in results.items() if seed not in failures}
    return reports, {seed: str(error) for seed, error in failures.items()}


def _pack(board, build, work, *, baud, tools):
    """Write the bitstream and its manifest, each at once; return the manifest."""
    flow = FLOWS[board.flow]
    flow.pack(work, name=f"seed{build.seed}", board=board)
    bitstream = work / f"seed{build.seed}{flow.suffix}"
    manifest = Manifest(
        board=board.name,
        array=str(build.config),
        config_hash=build.config.content_hash,
        memory_bytes=board.memory_bytes,
        clock_hz=build.clock_hz,
        baud=baud,
        bitstream=board.name + flow.suffix,
        sha256=hashlib.sha256(bitstream.read_bytes()).hexdigest(),
        seed=build.seed,
        fmax_mhz=round(build.report.fmax_mhz[build.report.slowest], 3),
        tools=tools,
    )
    (work / MANIFEST_NAME).write_text(str(manifest), encoding="utf-8")
    bitstream.replace(build.folder / manifest.bitstream)
    (work / MANIFEST_NAME).replace(build.folder / MANIFEST_NAME)
    return manifest


def _too_slow(build):
    """Why there is no bitstream."""
    report = build.report
    clock = report.slowest
    text = (
        f"{build.board} with array {build.config} reaches {report.fmax_mhz[clock]:.2f} MHz, "
        f"but its clock is {report.constraint_mhz[clock]:.2f} MHz: "
        "ask for a slower clock (--clock), try more seeds (--seeds), or allow it (--allow-timing-failure)"
    )
    if report.critical is None:
        return text
    path = " → ".join(step.component or "?" for step in report.critical.steps)
    return f"{text}; the slowest path goes through {path}"
