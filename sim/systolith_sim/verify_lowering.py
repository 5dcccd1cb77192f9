"""The loop form of the design against its definition, cycle by cycle."""

import dataclasses

from .lockstep import Difference, DifferenceError, LockStep
from .model import build_model
from .random_traffic import MEMORY_BYTES, Traffic
from .variant import Variant

__all__ = ["LOWERINGS", "LoweringResult", "verify_lowering"]

LOWERINGS = ("loops", "stock")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LoweringResult:
    """What comparing the lowerings of one configuration gave.

    Parameters
    ----------
    config : ArrayConfig
    cases : int
        Run until the first that differed.
    cycles : int
        Compared.
    descriptors : int
        Completed without an error.
    seed : int or None
        Of the case that differed; ``None`` if none did.
    difference : Difference or None
        Its first difference; values of ``loops`` and ``stock``.
    """

    config: object
    cases: int
    cycles: int
    descriptors: int
    seed: int | None = None
    difference: Difference | None = None


def verify_lowering(config, *, seeds, libraries=None, cache=None, progress=None):
    """Run both lowerings through the same random traffic, and compare every output in every cycle.

    Parameters
    ----------
    config : ArrayConfig
    seeds : iterable of int
        One per case.
    libraries : (path, path) or None
        Other models to compare, of ``Variant.RECORD``.
    cache, progress
        As for :func:`~.model.build_model`.

    Returns
    -------
    LoweringResult

    Raises
    ------
    BuildError
        If a model cannot be built.
    SimulationError
        If both models break a bus rule or fail.
    """
    libraries = libraries or [
        build_model(config, lowering=lowering, variant=Variant.RECORD, cache=cache, progress=progress)
        for lowering in LOWERINGS
    ]
    cases = cycles = descriptors = 0
    for seed in seeds:
        cases += 1
        with LockStep(libraries, memory_bytes=MEMORY_BYTES) as device:
            try:
                descriptors += Traffic(config=config, seed=seed).run(device)
            except DifferenceError as error:
                return LoweringResult(
                    config=config,
                    cases=cases,
                    cycles=cycles + device.cycles,
                    descriptors=descriptors,
                    seed=seed,
                    difference=error.difference,
                )
            cycles += device.cycles
    return LoweringResult(config=config, cases=cases, cycles=cycles, descriptors=descriptors)
