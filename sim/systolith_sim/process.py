"""Running compilers so that none outlives us."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from .errors import CompileError, MissingToolError

__all__ = ["run_all"]

_POLL_SECONDS = 0.01
_SHOWN_CHARACTERS = 4000
_GUARD = ["sh", "-c", "read -r line; kill -KILL 0"]
"""Leads the process group of all commands, and kills it when its input ends."""


def run_all(commands, *, folder, jobs, environment=None):
    """Run commands, ``jobs`` at a time, until all have ended well or one has not.

    When one fails, or an exception such as ``KeyboardInterrupt`` arrives, the others and everything that
    they started are killed before this returns. When this process dies, by whatever signal, they are
    killed too.

    Parameters
    ----------
    commands : list of list of str
    folder : path
        Their working directory.
    jobs : int
    environment : dict of str to str or None
        Variables set beside the inherited ones.

    Raises
    ------
    MissingToolError
        If a program is not there.
    CompileError
        If a command fails. The message holds what it printed.
    """
    waiting = list(reversed(commands))
    running = []
    environment = os.environ | (environment or {})
    with _guard() as group:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    with _interrupts_deferred():
                        running.append(_Job(waiting.pop(), folder, environment, group))
                time.sleep(_POLL_SECONDS)
                running = [job for job in running if not job.has_ended()]
        finally:
            with _interrupts_deferred():
                # The leader has not been waited for, so the number is still the group's.
                os.killpg(group, signal.SIGKILL)
                for job in running:
                    job.reap()


@contextlib.contextmanager
def _guard():
    """A process group that is killed when this process ends: the kernel closes the pipe then.

    A death signal of the kernel's would reach the commands alone, and not what they have started.
    """
    guard = None
    try:
        with _interrupts_deferred():
            guard = subprocess.Popen(_GUARD, stdin=subprocess.PIPE, process_group=0)
        yield guard.pid
    finally:
        if guard is not None:
            guard.kill()
            guard.stdin.close()
            guard.wait()


@contextlib.contextmanager
def _interrupts_deferred():
    """Keep Ctrl-C from coming between the start of a process and the note of it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived = []
    handler = signal.signal(signal.SIGINT, lambda *arguments: arrived.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if arrived and callable(handler):
        handler(*arrived[0])


class _Job:
    """One command, in a process group that others share."""

    def __init__(self, command, folder, environment, group):
        self._command = command
        self._output = tempfile.TemporaryFile()  # noqa: SIM115, closed when the job ends
        try:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                process_group=group,
            )
        except OSError as error:
            self._output.close()
            kind = MissingToolError if isinstance(error, FileNotFoundError) else CompileError
            raise kind(f"{command[0]} cannot be started: {error.strerror}") from None

    def has_ended(self):
        """Whether it has, and well; raises CompileError if not well."""
        code = self._process.poll()
        if code is None:
            return False
        if code:
            self._output.seek(0)
            raise CompileError(_explain(self._command, code, self._output.read()))
        self._output.close()
        return True

    def reap(self):
        """Wait for the end of what has been killed."""
        self._process.wait()
        self._output.close()


def _explain(command, code, output):
    text = output.decode(errors="replace").strip()
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "\n…"
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"{Path(command[0]).name} {ended}:\n{text}"
