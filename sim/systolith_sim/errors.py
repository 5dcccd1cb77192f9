"""What can go wrong between a design and its simulation."""

__all__ = [
    "BuildError",
    "CacheError",
    "CompileError",
    "MissingToolError",
    "NoProgressError",
    "ProtocolError",
    "RegisterError",
    "SimulationError",
]


class BuildError(Exception):
    """A model could not be built."""


class MissingToolError(BuildError):
    """A program that building needs is not there; the message names the package to install."""


class CompileError(BuildError):
    """Verilator or the C++ compiler refused its input; the message is the tool's own."""


class CacheError(BuildError):
    """The cache folder cannot be used; the message says what to do."""


class SimulationError(Exception):
    """A simulation cannot go on. After :meth:`~.simulator.Simulator.reset` it can."""


class ProtocolError(SimulationError):
    """The design broke a rule of its bus.

    Members
    -------
    rule : str
        Name of the rule: ``burst-type``, ``burst-size``, ``burst-4k``, ``alignment``, ``wlast``,
        ``stable``, ``reset`` or ``axil-response``.
    cycle : int
        The cycle in which it was broken.
    """

    def __init__(self, *, rule, cycle, detail):
        super().__init__(f"bus rule {rule!r} broken in cycle {cycle}: {detail}")
        self.rule = rule
        self.cycle = cycle


class NoProgressError(SimulationError):
    """What was waited for did not happen within the cycles allowed.

    Members
    -------
    cycles : int
        The cycles that were run in vain.
    activity : int or None
        The ``activity`` register, or ``None`` if the registers do not answer either.
    outstanding : Outstanding
        The transactions that the memory had not completed.
    """

    def __init__(self, message, *, cycles, activity, outstanding):
        super().__init__(message)
        self.cycles = cycles
        self.activity = activity
        self.outstanding = outstanding


class RegisterError(SimulationError):
    """A register access was answered with an error, or not at all."""
