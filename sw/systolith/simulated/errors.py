"""What goes wrong in the simulation, told as what goes wrong with a device."""

import contextlib

import systolith_sim.errors as sim_errors

from systolith.errors import ProtocolError, TargetUnavailable

__all__ = ["translated_errors"]


@contextlib.contextmanager
def translated_errors(what):
    """Raise what the simulation raises in a ``with`` block as one of :mod:`systolith.errors`.

    Parameters
    ----------
    what : str
        What needs the simulation; begins the message.

    Raises
    ------
    TargetUnavailable
        If a module or a tool is missing, or a tool refuses its input.
    ProtocolError
        If a running model breaks a bus rule or makes no progress.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise TargetUnavailable(f"{what} needs the Python module {error.name}") from error
    except sim_errors.BuildError as error:
        raise TargetUnavailable(f"{what}: {error}") from error
    except sim_errors.SimulationError as error:
        raise ProtocolError(str(error)) from error
