"""Running compilers so that none outlives us."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from .errors import CompileError

__all__ = ["run_all"]

_POLL_SECONDS = 0.01
_SHOWN_CHARACTERS = 4000


def run_all(commands, *, folder, jobs, environment=None):
    """Run commands, ``jobs`` at a time, until all have ended well or one has not.

    When one fails, or an exception such as ``KeyboardInterrupt`` arrives, the others and everything that
    they started are killed before this returns.

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
    CompileError
        If a command fails. The message holds what it printed.
    """
    waiting = list(reversed(commands))
    running = []
    environment = os.environ | (environment or {})
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                with _interrupts_deferred():
                    running.append(_Job(waiting.pop(), folder, environment))
            time.sleep(_POLL_SECONDS)
            running = [job for job in running if not job.has_ended()]
    finally:
        with _interrupts_deferred():
            for job in running:
                job.kill()


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
    """One command, in a process group of its own."""

    def __init__(self, command, folder, environment):
        self._command = command
        self._output = tempfile.TemporaryFile()  # noqa: SIM115, closed when the job ends
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

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

    def kill(self):
        # The group may be gone already.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._output.close()


def _explain(command, code, output):
    text = output.decode(errors="replace").strip()
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "\n…"
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"{Path(command[0]).name} {ended}:\n{text}"
