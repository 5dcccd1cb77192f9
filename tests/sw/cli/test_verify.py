"""systolith verify."""

import pytest
from systolith import simulated
from systolith_sim.lockstep import Difference
from systolith_sim.verify_lowering import LoweringResult


@pytest.fixture
def lowering(monkeypatch):
    """Lets every comparison end as told, and notes the seeds."""
    calls = []

    def set_up(difference):
        def verify(config, *, seeds, progress):
            calls.append((str(config), list(seeds)))
            seed = None if difference is None else 3
            return LoweringResult(
                config=config, cases=2, cycles=70, descriptors=5, seed=seed, difference=difference
            )

        monkeypatch.setattr(simulated, "verify_lowering", verify)
        return calls

    return set_up


def test_verify_lowering(systolith, lowering):
    calls = lowering(None)
    result = systolith("verify", "lowering", "--seed", 7, "--cases", 2, "--array", "2x2", "--json")
    assert result.code == 0
    assert [seeds for _, seeds in calls] == [[7, 8]] * len(calls)
    assert calls[-1][0].startswith("2x2-")
    data = result.json
    assert (data["cycles"], data["mismatches"], data["first"]) == (70 * len(calls), 0, None)
    assert "every output is equal" in systolith("verify", "lowering").out


def test_verify_lowering_differs(systolith, lowering):
    lowering(Difference(cycle=12, signal="irq", values=(1, 0)))
    result = systolith("verify", "lowering", "--json")
    assert result.code == 1
    first = result.json["first"]
    assert (first["seed"], first["cycle"], first["signal"]) == (3, 12, "irq")
    assert (first["loops"], first["stock"]) == (1, 0)
    assert "irq differs in cycle 12" in systolith("verify", "lowering").out


def test_verify_lowering_wrong(fails):
    assert "--array" in fails("verify", "lowering", "--array", "3x3")
