"""Running compilers so that none outlives us."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time

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
    running = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                command = waiting.pop()
                output = tempfile.TemporaryFile()
                process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=os.environ | (environment or {}),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
                running[process] = (command, output)
            ended = [process for process in running if process.poll() is not None]
            for process in ended:
                command, output = running.pop(process)
                with output:
                    if process.returncode:
                        output.seek(0)
                        raise CompileError(_explain(command, process.returncode, output.read()))
            if not ended:
                time.sleep(_POLL_SECONDS)
    finally:
        for process, (_, output) in running.items():
            # The group may be gone already.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            output.close()


def _explain(command, code, output):
    tool = os.path.basename(command[0])
    text = output.decode(errors="replace").strip()
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "\n…"
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return f"{tool} {ended}:\n{text}"
