"""A simulated board, built once and switched on for each test."""

import pytest
from sim.simboard.host import Host
from systolith_hw import ArrayConfig
from systolith_sim.simboard import BoardSetup, SimulatedBoard, build_board


@pytest.fixture(scope="session")
def setup():
    """The board of the tests of target ``serial``, which is built once for both."""
    return BoardSetup(config=ArrayConfig.parse("2x8-axi32-a16-b128-acc4-e2-ds2"))


@pytest.fixture(scope="session")
def library(setup):
    return build_board(setup)


@pytest.fixture
def board(library, setup):
    with SimulatedBoard(library, setup) as board:
        yield board


@pytest.fixture
def host(board):
    return Host(board)
