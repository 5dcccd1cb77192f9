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
    assert {outcome.status for outcome in outcomes.values()} == {Status.PASS}
    assert outcomes["link"].figures["retries"] == 0
    # Behind a pseudo-terminal: its clock is nobody's.
    assert outcomes["clock"].figures["clock_hz"] is None
    assert outcomes["clock"].figures["measured_hz"] > 0
    assert device.free_bytes == free
