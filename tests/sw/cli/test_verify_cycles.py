"""systolith verify cycles."""

import itertools

import pytest
from systolith import simulated
from systolith_hw import ArrayConfig
from systolith_hw.descriptor import Counters
from systolith_sim.cycles import Comparison, Prediction, random_cases


def prediction(compute):
    waits = dict.fromkeys(("wait_a", "wait_b", "wait_output", "fill", "drain"), 0)
    return Prediction(counters=Counters(compute=compute, **waits), completed_cycle=90)


@pytest.fixture
def comparison(monkeypatch):
    """Lets every comparison end as told, and notes what was asked for."""
    calls = []

    def set_up(*, equal):
        def verify(config, *, seed, cases, progress):
            calls.append((str(config), seed, cases))
            if equal:
                return 1000, []
            queues = random_cases(ArrayConfig.parse("2x2"), seed=1)
            case = next(case for case in itertools.islice(queues, 50) if len(case.descriptors) == 2)
            model, rtl = [prediction(7), prediction(8)], [prediction(7), prediction(5)]
            return 1000, [Comparison(case=case, model=model, rtl=rtl)]

        monkeypatch.setattr(simulated, "verify_cycles", verify)
        return calls

    return set_up


def test_verify_cycles(systolith, comparison):
    calls = comparison(equal=True)
    result = systolith("verify", "cycles", "--cases", 20, "--seed", 5, "--json")
    assert result.code == 0
    data = result.json
    assert (data["cases"], data["mismatches"], data["first"]) == (20, 0, None)
    assert data["cycles"] == 1000 * len(calls)
    assert len({config for config, _, _ in calls}) == len(calls) > 6
    assert {seed for _, seed, _ in calls} == {5}
    assert sum(cases for _, _, cases in calls) == 20


def test_verify_cycles_array(systolith, comparison):
    calls = comparison(equal=True)
    result = systolith("verify", "cycles", "--cases", 3, "--array", "2x2", "--array", "4x8")
    assert result.code == 0
    assert [(config.partition("-")[0], cases) for config, _, cases in calls] == [("2x2", 2), ("4x8", 1)]
    assert "1,000" in result.out


def test_verify_cycles_differs(systolith, comparison):
    comparison(equal=False)
    result = systolith("verify", "cycles", "--array", "2x2", "--json")
    assert result.code == 1
    data = result.json
    assert data["mismatches"] == 1
    first = data["first"]
    assert first["array"].startswith("2x2-")
    assert first["error_cycles"] == 3
    assert first["descriptors"][0]["available"] == 0
    assert first["descriptors"][1]["model"]["counters"]["compute"] == 8
    assert first["descriptors"][1]["rtl"] == {"counters": counters(5), "completed_cycle": 90}
    assert "First mismatch, 2x2-" in systolith("verify", "cycles", "--array", "2x2").out


def counters(compute):
    return {"compute": compute} | dict.fromkeys(("wait_a", "wait_b", "wait_output", "fill", "drain"), 0)


def test_verify_cycles_rtl(systolith):
    """For true, on an array with the addresses of a small board."""
    array = "2x2-axi32-a64-b32-acc8-e1-burst8-o2-ds2-addr15-dim13"
    result = systolith("verify", "cycles", "--array", array, "--cases", 30, "--json")
    assert result.code == 0
    data = result.json
    assert (data["cases"], data["mismatches"], data["first"]) == (30, 0, None)
    assert data["cycles"] > 10_000


def test_verify_cycles_wrong(fails):
    assert "--array" in fails("verify", "cycles", "--array", "3x3")
