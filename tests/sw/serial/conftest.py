"""Simulated boards at pseudo-terminals, as programs of their own."""

import contextlib
import json
import select
import signal
import subprocess
import sys

import pytest
from sw.cases import CONFIGS
from systolith import open_device

START_SECONDS = 500
"""In which a board must have been built and be there."""

ARRAY = str(CONFIGS["2x8-narrow"])
"""Small, and of the tests of ``rtl``."""


class Simboard:
    """``systolith simboard`` with these options."""

    def __init__(self, *options):
        program = "from systolith_program import main; main()"
        command = [sys.executable, "-c", program, "simboard", "--json", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert select.select([self.process.stdout], [], [], START_SECONDS)[0], "the board did not start"
        self.facts = json.loads(self.process.stdout.readline())
        self.target = f"serial:{self.facts['port']}"

    def end(self, number=signal.SIGTERM):
        """End it; its exit code. Where the tests run in the background, SIGINT is ignored by all."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=20)
        finally:
            self.process.kill()
            self.process.stdout.close()


@pytest.fixture(scope="session")
def start_board():
    """From options to a board that ends with the tests, if not before."""
    with contextlib.ExitStack() as stack:

        def start(*options):
            board = Simboard(*options)
            stack.callback(lambda: board.process.poll() is None and board.end())
            return board

        yield start


@pytest.fixture(scope="session")
def board(start_board):
    """A board that works."""
    return start_board("--array", ARRAY)


@pytest.fixture
def device(board):
    """The device on that board."""
    with open_device(board.target) as device:
        yield device
