# ruff: noqa: N818 -- what happened is the name; "Error" is what they all derive from
"""What can go wrong with a device: one exception family, with what was wanted and what came."""

import copy
import signal

__all__ = [
    "BusError",
    "ConfigurationMismatch",
    "DescriptorRejected",
    "DeviceClosed",
    "DeviceError",
    "LinkError",
    "NoProgress",
    "OutOfDeviceMemory",
    "ProtocolError",
    "TargetUnavailable",
    "UnknownTarget",
    "WorkerDied",
    "untraced",
]


class DeviceError(Exception):
    """Something about a device.

    Members
    -------
    completions : list of Completion
        Where :meth:`Device.wait` raises: what all descriptors ended with, those that succeeded included.
    """

    completions = ()

    def __reduce__(self):
        # Not from the arguments of __init__, of which only the message is kept.
        return _restore, (type(self), self.args), self.__dict__


class BusError(DeviceError):
    """A memory access of the device was answered with SLVERR or DECERR.

    Parameters
    ----------
    access : str
        What was accessed: ``"read"``, ``"write"`` or ``"completion record write"``.
    address : int
        Address of the first access that failed.
    """

    def __init__(self, access, address):
        super().__init__(f"bus error: the {access} at address {address:#010x} failed")
        self.access = access
        self.address = address


class ConfigurationMismatch(DeviceError):
    """The device is not of the configuration that it was opened with.

    Parameters
    ----------
    differences : dict of str to (int, int)
        Fact to what was wanted and what the device reports.
    """

    def __init__(self, differences):
        facts = "; ".join(
            f"{name} must be {_fact(name, wanted)}, the device reports {_fact(name, came)}"
            for name, (wanted, came) in differences.items()
        )
        super().__init__(f"the device is of another configuration: {facts}")
        self.differences = differences


class DescriptorRejected(DeviceError):
    """The device refused a descriptor.

    Parameters
    ----------
    reason : Reject
        Why, as the contract defines it.
    descriptor : Descriptor
        What it was asked to run.
    """

    def __init__(self, reason, descriptor):
        super().__init__(
            f"the device rejected a GEMM of batch {descriptor.batch}, M {descriptor.m}, K {descriptor.k}, "
            f"N {descriptor.n}: {reason.name}"
        )
        self.reason = reason
        self.descriptor = descriptor


class LinkError(DeviceError):
    """A board was lost: its port is gone, or it does not answer. What it was given is lost with it."""


class NoProgress(DeviceError):
    """The device did not complete its descriptors within the cycles it was given."""


class ProtocolError(DeviceError):
    """The device did something that the contract does not allow."""


class OutOfDeviceMemory(DeviceError):
    """An allocation does not fit into what is free of the device's memory.

    Parameters
    ----------
    wanted_bytes, largest_bytes, free_bytes, total_bytes : int
        What was asked for, the largest free block, all that is free, and all there is.
    """

    def __init__(self, *, wanted_bytes, largest_bytes, free_bytes, total_bytes):
        super().__init__(
            f"out of device memory: {wanted_bytes} bytes were asked for; {free_bytes} of {total_bytes} bytes "
            f"are free, the largest block has {largest_bytes}"
        )
        self.wanted_bytes = wanted_bytes
        self.largest_bytes = largest_bytes
        self.free_bytes = free_bytes
        self.total_bytes = total_bytes


class DeviceClosed(DeviceError):
    """The device was used after it had been closed."""

    def __init__(self, target):
        super().__init__(f"the {target} device is closed")


class UnknownTarget(DeviceError, ValueError):
    """No target has this name."""


class TargetUnavailable(DeviceError):
    """The target exists, but something that it needs is missing; the message says what."""


class WorkerDied(DeviceError):
    """A process in which a device of a pool ran has ended by itself.

    Parameters
    ----------
    index : int
        Which worker of the pool.
    pid : int
        Its process.
    returncode : int
        Its exit code, or minus the number of the signal that killed it.
    lost : int
        GEMMs and parts of GEMMs that it had been given.
    """

    def __init__(self, *, index, pid, returncode, lost):
        how = f"ended with exit code {returncode}"
        if returncode < 0:
            how = f"was killed by {_signal_name(-returncode)}"
        if returncode == -signal.SIGKILL:
            how += " (is the system short of memory?)"
        then = " before it was ready"
        if lost:
            what = (
                "the GEMM that it had been given is"
                if lost == 1
                else f"{lost} GEMMs that it had been given are"
            )
            then = f"; {what} lost, and it gets no more until restart({index}) or reset()"
        super().__init__(f"worker {index} of the pool, process {pid}, {how}{then}")
        self.index = index
        self.pid = pid
        self.returncode = returncode
        self.lost = lost


def untraced(error):
    """A copy of an error, to be raised where the error itself is kept.

    The traceback of an error that is kept would keep all that its frames refer to, device memory included.

    Parameters
    ----------
    error : DeviceError

    Returns
    -------
    DeviceError
    """
    copied = copy.copy(error)
    if error.__cause__ is not None:
        copied.__cause__ = error.__cause__
    return copied


def _signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _restore(cls, arguments):
    return cls.__new__(cls, *arguments)


def _fact(name, value):
    return f"{value:#010x}" if name in ("id", "config_hash") else str(value)
