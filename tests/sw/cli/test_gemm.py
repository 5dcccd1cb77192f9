"""systolith gemm."""

import itertools

import numpy as np
import pytest
import typer
from sw.oracle import gemm
from systolith import ArrayConfig, golden
from systolith.cli.gemm import expected, random_problem
from systolith.cli.options import check_options, memory_facts
from systolith_sim.timing import DEFAULT_TIMING

KEYS = {"mismatches", "cycles", "roofline_cycles", "ratio", "counters", "sim_hz", "utilization", "seconds"}
TARGETS = ["golden", "model", pytest.param("rtl", marks=pytest.mark.slow)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("b_layout", "out"), [*itertools.product(["kn", "nk"], ["int32", "int8"])])
@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (5, 7, 9, 1), (17, 33, 6, 3)], ids=str)
def test_gemm(systolith, target, b_layout, out, sizes):
    m, k, n, batch = sizes
    result = systolith(
        *("gemm", "-m", m, "-k", k, "-n", n, "--batch", batch, "--b-layout", b_layout, "--out", out),
        *("--seed", 3, "--target", target, "--array", "4x4", "--json"),
    )
    assert result.code == 0
    data = result.json
    assert data.keys() >= KEYS
    assert data["mismatches"] == 0
    assert data["first_mismatch"] is None
    assert data["macs"] == batch * m * k * n
    assert data["elements"] == batch * m * n
    assert data["roofline_cycles"] >= batch * m * k * n / 16
    if target == "golden":
        assert [data[name] for name in ("cycles", "ratio", "counters", "sim_hz")] == [None] * 4
        return
    counters = data["counters"]
    assert sum(value for name, value in counters.items() if name != "total") == counters["total"]
    assert counters["total"] == data["cycles"] >= data["roofline_cycles"]
    assert data["ratio"] == pytest.approx(data["cycles"] / data["roofline_cycles"])
    if target == "model":
        assert (data["sim_hz"], data["cycle_source"]) == (None, "predicted by the cycle model")
    else:
        assert data["sim_hz"] > 0
        assert data["cycle_source"] == "counted by the hardware"


@pytest.mark.parametrize("target", TARGETS)
def test_gemm_devices(systolith, target):
    arguments = ("gemm", "-m", 64, "-k", 40, "-n", 48, "--array", "4x4", "--target", target, "--seed", 1)
    one = systolith(*arguments, "--json").json
    data = systolith(*arguments, "--devices", 3, "--json").json
    assert (one["devices"], data["devices"]) == (1, 3)
    assert one["mismatches"] == data["mismatches"] == 0
    plain = systolith(*arguments, "--devices", 3)
    assert plain.code == 0
    if target == "golden":
        assert data["makespan_cycles"] is data["device_cycles"] is None
        return
    assert one["makespan_cycles"] == one["cycles"] == sum(one["device_cycles"])
    assert data["cycles"] == sum(data["device_cycles"])
    assert data["makespan_cycles"] == max(data["device_cycles"]) < one["cycles"] / 2
    assert f"3 devices: {data['device_cycles'][0]:,}, " in plain.out
    assert f"; {data['makespan_cycles']:,} until the last was done" in plain.out


@pytest.mark.slow
def test_gemm_memory_timing(systolith):
    def cycles(*options):
        arguments = ("gemm", "-m", 9, "-k", 40, "-n", 12, "--array", "4x4", "--json", *options)
        data = systolith(*arguments).json
        assert data["mismatches"] == 0
        return data["cycles"]

    usual = cycles()
    assert cycles("--target", "model") == usual
    assert cycles("--mem-latency", 400) > usual + 300
    assert cycles("--mem-latency", 400) == cycles("--mem-latency", 400, "--target", "model")
    stalled = cycles("--mem-stall", 0.5)
    assert stalled > usual
    assert cycles("--mem-stall", 0.5) == stalled
    assert cycles("--mem-stall", 0.5, "--seed", 1) != stalled


@pytest.mark.slow
def test_gemm_rendered(systolith):
    result = systolith("gemm", "-m", 9, "-k", 40, "-n", 12, "--array", "4x4")
    assert result.code == 0
    assert "1 × 9×40×12, B kn, int32, on rtl" in result.out
    assert "all 108 elements equal NumPy's" in result.out
    for name in ("total", "compute", "wait_a", "wait_b", "wait_output", "fill", "drain"):
        assert f"  {name} " in result.out
    assert "× roofline" in result.out
    assert "seed 0, memory latency 40, memory stall 0\n" in result.out
    assert "\ncycles counted by the hardware\n" in result.out
    assert " s in the simulator: " in result.out
    predicted = systolith("gemm", "-m", 9, "-k", 40, "-n", 12, "--array", "4x4", "--target", "model")
    assert "\ncycles predicted by the cycle model\n" in predicted.out
    assert "simulator" not in predicted.out


def test_gemm_rendered_without_cycles(systolith):
    result = systolith("gemm", "-m", 2, "-k", 3, "-n", 4, "--target", "golden", "--relu")
    assert result.code == 0
    assert "1 × 2×3×4, B kn, int32, relu, on golden" in result.out
    assert "\nseed 0\n" in result.out
    assert "the target golden has no notion of cycles" in result.out
    assert "the only element equals NumPy's" in (
        systolith("gemm", "-m", 1, "-k", 1, "-n", 1, "--target", "golden").out
    )


def test_gemm_can_be_repeated(systolith):
    data = systolith("gemm", "-m", 2, "-k", 3, "-n", 4, "--target", "golden", "--seed", 7, "--json").json
    names = ("seed", "relu", "memory_latency", "memory_stall")
    assert [data[name] for name in names] == [7, False, None, None]
    assert memory_facts("rtl", memory_latency=None, memory_stall=None) == {
        "memory_latency": DEFAULT_TIMING.latency_cycles,
        "memory_stall": 0.0,
    }
    assert DEFAULT_TIMING.write_latency_cycles == DEFAULT_TIMING.latency_cycles
    assert memory_facts("rtl", memory_latency=3, memory_stall=0.5) == {
        "memory_latency": 3,
        "memory_stall": 0.5,
    }


def test_gemm_mismatch(systolith, monkeypatch):
    import systolith.cli.gemm as command

    right = command.matmul

    def wrong(*operands, **options):
        result = right(*operands, **options)
        result[0, 1, 2] += 5
        return result

    monkeypatch.setattr(command, "matmul", wrong)
    arguments = ("gemm", "-m", 2, "-k", 3, "-n", 4, "--target", "golden")
    result = systolith(*arguments, "--json")
    assert result.code == 1
    data = result.json
    assert data["mismatches"] == 1
    first = data["first_mismatch"]
    assert first["index"] == [0, 1, 2]
    assert first["got"] == first["wanted"] + 5
    rendered = systolith(*arguments)
    assert rendered.code == 1
    assert f"1 of 8 elements differ from NumPy's: element [0, 1, 2] is {first['got']}, not" in rendered.out


@pytest.mark.parametrize("function", ["product", "requantize"])
def test_gemm_checks_golden(systolith, monkeypatch, function):
    """What golden results are compared with is not the golden arithmetic."""
    right = getattr(golden, function)
    monkeypatch.setattr(golden, function, lambda *operands, **options: ~right(*operands, **options))
    arguments = ("gemm", "-m", 2, "-k", 3, "-n", 4, "--target", "golden", "--out", "int8")
    result = systolith(*arguments, "--json")
    assert result.code == 1
    assert result.json["mismatches"] > 0


@pytest.mark.parametrize(("b_layout", "out"), [*itertools.product(["kn", "nk"], ["int32", "int8"])])
@pytest.mark.parametrize("relu", [False, True])
def test_expected(b_layout, out, relu):
    problem = random_problem(m=5, k=300, n=7, batch=2, b_layout=b_layout, out=out, seed=1)
    result = expected(problem, b_layout=b_layout, relu=relu)
    wanted = gemm(problem.a, problem.b, b_layout=b_layout, relu=relu, out=out, **problem.epilogue)
    np.testing.assert_array_equal(result, wanted)
    if out == "int8":
        assert len(np.unique(result)) > 20
        assert result.max() == 127


def test_gemm_wrong(fails):
    gemm_1 = ("gemm", "-m", 1, "-k", 1, "-n", 1, "--target", "golden")
    assert fails("gemm", "-m", 1, "-k", 1) == "Missing option '-n'."
    for wrong in ("0", "x"):
        assert fails("gemm", "-m", wrong, "-k", 1, "-n", 1) == (
            f"Invalid value for '-m': must be an integer of at least 1, not '{wrong}'"
        )
    assert fails(*gemm_1, "--mem-latency", 0) == (
        "Invalid value for '--mem-latency': must be an integer from 1 to 1048576, not '0'"
    )
    assert fails(*gemm_1, "--mem-stall", "x") == (
        "Invalid value for '--mem-stall': must be a number from 0.0 to 0.99, not 'x'"
    )
    for seed in (-1, 1 << 56, 1 << 64):
        assert fails(*gemm_1, "--seed", seed).startswith("Invalid value for '--seed': ")
    assert fails(*gemm_1, "--b-layout", "mn") == (
        "Invalid value for '--b-layout': must be kn or nk, not 'mn'"
    )
    assert fails(*gemm_1, "--array", "16").startswith(
        "Invalid value for --array: array must look like '16x16' or '16x16-axi128-a4096', not '16'"
    )
    assert fails(*gemm_1, "--array", "3x4") == (
        "Invalid value for --array: rows must be a power of two from 2 to 64, not 3"
    )
    forms = "golden, model, rtl, netlist:BOARD, serial:PORT[,BAUD]"
    assert fails(*gemm_1[:-1], "board") == f"target must be one of {forms}, not 'board'"
    assert fails(*gemm_1, "--mem-latency", 3) == (
        "Invalid value for --mem-latency, --mem-stall: the target golden has no memory timing"
    )
    assert fails(*gemm_1[:-1], "model", "--mem-stall", 0.5) == (
        "Invalid value for --mem-stall: the target model needs a memory without random stalls"
    )
    assert fails("gemm", "-m", 1, "-k", 131072, "-n", 1, "--target", "golden") == (
        "Invalid value: K must be at most 131071, beyond which int32 could overflow, not 131072"
    )


def test_gemm_too_large(fails):
    assert fails("gemm", "-m", 100_000, "-k", 1, "-n", 100_000, "--target", "golden") == (
        "Invalid value: A, B and the result may have 134,217,728 elements together, not 10,000,200,000"
    )


def test_gemm_interrupted(systolith, monkeypatch):
    import systolith.cli.gemm as command

    def interrupted(*operands, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "matmul", interrupted)
    result = systolith("gemm", "-m", 1, "-k", 1, "-n", 1, "--target", "golden")
    assert result.code == 130
    assert (result.out, result.err) == ("", "systolith: interrupted\n")


def test_gemm_device_error(fails, monkeypatch):
    import systolith.cli.gemm as command
    from systolith import BusError

    def broken(*operands, **options):
        raise BusError("read", 0x1234)

    monkeypatch.setattr(command, "matmul", broken)
    assert fails("gemm", "-m", 1, "-k", 1, "-n", 1, "--target", "golden", code=1) == (
        "bus error: the read at address 0x00001234 failed"
    )


def test_array_of_a_netlist(capsys):
    """What is left open is the board's; a family of parts has nothing of its own."""
    boards = pytest.importorskip("systolith_hw.boards")
    assert check_options("netlist:icebreaker", "2x2") == boards.find_board("icebreaker").config("2x2")
    assert check_options("netlist:ice40", "2x2") == ArrayConfig.parse("2x2")
    assert capsys.readouterr().err == ""
    check_options("netlist:icebreaker", "8x8")
    assert "no bitstream of it, but it can be simulated: array 8x8" in capsys.readouterr().err
    with pytest.raises(typer.BadParameter, match="rows must be a power of two"):
        check_options("netlist:icebreaker", "3x3")
