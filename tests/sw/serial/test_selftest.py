"""The self-test of a simulated board, through the whole of its link."""

import dataclasses

import pytest
from systolith.selftest import CHECKS, Effort, Status, selftest

EFFORT = dataclasses.replace(Effort.quick(), memory_seconds=0.0, measure_seconds=0.01)


@pytest.mark.slow
def test_board_passes(device):
    free = device.free_bytes
    outcomes = {row.name: row.outcome for row in selftest(device, effort=EFFORT)}
    assert list(outcomes) == list(CHECKS)
    # Behind a pseudo-terminal: its clock is nobody's.
    assert {name for name, outcome in outcomes.items() if outcome.status is not Status.PASS} == {"clock"}
    assert outcomes["clock"].status is Status.NOT_APPLICABLE
    assert outcomes["link"].figures["retries"] == 0
    assert outcomes["clock"].figures["clock_hz"] is None
    assert outcomes["clock"].figures["measured_hz"] > 0
    assert device.free_bytes == free
