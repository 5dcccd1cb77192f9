"""A simulated board of the smallest array, built once and switched on for each test."""

import pytest
from sim.simboard.host import Host
from systolith_hw import ArrayConfig
from systolith_sim.simboard import BoardSetup, SimulatedBoard, build_board


@pytest.fixture(scope="session")
def setup():
    return BoardSetup(config=ArrayConfig.parse("4x4"))


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
