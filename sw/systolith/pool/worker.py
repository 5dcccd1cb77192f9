"""A pool's side of one worker: its process, from start to end."""

import contextlib
import os
import sys
import weakref

from systolith.errors import DeviceError, WorkerDied

from .channel import Channel, frame

__all__ = ["Worker"]

END_SECONDS = 5
"""What a process is given to end in before it is killed."""


class Worker:
    """One device of a pool and the process that runs it; made by :class:`Pool`.

    Parameters
    ----------
    index : int
        Its number in the pool.
    memory_descriptor : int
        Of the shared memory; kept open by the pool.
    setup : tuple
        What the process opens; see :mod:`.process`.

    Members
    -------
    index : int
    pid : int
        The process.
    alive : bool
        Whether it takes work.
    starting : bool
        Whether its device is not known to be open yet.
    busy : bool
        Whether it was given work and has not told how that ended.
    """

    def __init__(self, index, memory_descriptor, setup):
        self.index = index
        self._memory_descriptor = memory_descriptor
        self._setup = frame(setup)
        self.start()

    def __repr__(self):
        state = "dead" if not self.alive else "busy" if self.busy else "idle"
        return f"<worker {self.index}, process {self.pid}: {state}>"

    @property
    def pid(self):
        """The process."""
        return self._process.pid

    def start(self):
        """Start the process; :meth:`wait_ready` waits until its device is open.

        Raises
        ------
        DeviceError
            If the system refuses.
        """
        try:
            self._channel, self._process = _start(self._memory_descriptor)
        except OSError as error:
            raise DeviceError(f"worker {self.index} of the pool cannot be started: {error}") from error
        self._end = weakref.finalize(self, _end, self._process, self._channel, os.getpid())
        self.alive = self.starting = True
        self.busy = False
        self._lost = 0
        self._send(self._setup)

    def wait_ready(self):
        """Wait until the device is open.

        Raises
        ------
        DeviceError
            What it could not be opened for.
        WorkerDied
        """
        if not self.starting:
            return
        try:
            error = self._channel.receive()
        except (EOFError, ConnectionError):
            error = self._died()
        self.starting = False
        if error is not None:
            self.end()
            raise error

    def begin(self, framed, count):
        """Have descriptors run.

        Parameters
        ----------
        framed : bytes
            The packed descriptors, from :func:`~.channel.frame`.
        count : int
            How many they are.
        """
        self.busy = True
        self._lost = count
        self._send(framed)

    def finish(self):
        """Wait until what was begun has ended.

        Returns
        -------
        ended : list of tuple
            See :func:`~.process._plain`; empty if there is an error.
        error : DeviceError or None
        """
        try:
            self.wait_ready()
            reply = self._channel.receive()
        except (EOFError, ConnectionError):
            reply = [], self._died()
        except DeviceError as error:
            reply = [], error.with_traceback(None)
        self.busy = False
        return reply

    def end(self):
        """End the process, whatever it does. May be called again."""
        self.alive = self.starting = self.busy = False
        self._end()

    def _send(self, framed):
        # Waiting for the answer tells what happened.
        with contextlib.suppress(ConnectionError):
            self._channel.send(framed)

    def _died(self):
        """The error for a process that has hung up."""
        returncode = _wait(self._process)
        self.end()
        return WorkerDied(index=self.index, pid=self.pid, returncode=returncode, lost=self._lost)


def _start(memory_descriptor):
    """The channel to a new process, and the process."""
    # Slower to load than the rest of the runtime together.
    import socket
    import subprocess

    with contextlib.ExitStack() as undo:
        ours, theirs = map(undo.enter_context, socket.socketpair())
        descriptors = theirs.fileno(), memory_descriptor
        arguments = ["-m", f"{__package__}.process", *map(str, (*descriptors, os.getpid()))]
        process = subprocess.Popen(
            # Looks for modules where this process does, and not in the current folder.
            [sys.executable, "-P", *arguments],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=descriptors,
            # Ctrl-C is for the parent: what it ends, it ends.
            start_new_session=True,
        )
        undo.pop_all()
        theirs.close()
    return Channel(ours), process


def _wait(process):
    """Its exit code; one that does not end by itself is killed."""
    from subprocess import TimeoutExpired

    with contextlib.suppress(TimeoutExpired):
        return process.wait(END_SECONDS)
    process.kill()
    return process.wait()


def _end(process, channel, parent):
    channel.close()
    # In a fork of the parent it is not the fork's to end.
    if os.getpid() == parent:
        process.kill()
        process.wait()
