"""From what the benchmarks print to the figures that are kept."""

from systolith.bench.figures import BENCHES


def values(name, data):
    return {key: figure.value for key, figure in BENCHES[name].figures(data).items()}


def test_gemm():
    group = {"array": "8x8-axi64", "kind": "linear", "worst_ratio": 1.04, "median_ratio": 1.01, "floor": 1.05}
    data = {"groups": [group], "rows": [{"mismatches": 0}, {"mismatches": 2}], "queue": 8}
    assert values("gemm", data) == {
        "8x8 linear: cycles ÷ roofline, worst": 1.04,
        "8x8 linear: cycles ÷ roofline, median": 1.01,
        "wrong elements": 2,
    }
    figures = BENCHES["gemm"].figures(data)
    assert [figure.floor for figure in figures.values()] == [1.05, None, 0]
    assert BENCHES["gemm"].tables(data) == {"groups": [group], "queue": 8}


def test_sim():
    def row(simulation, speed, missing=None, work="8 × 1×1×1"):
        return {
            "array": "16x16-axi128",
            "simulation": simulation,
            "work": work,
            "cycles_per_second": speed,
            "mismatches": None if missing else 0,
            "missing": missing,
        }

    floors = [
        {"array": "16x16-axi128", "work": "8 × 1×1×1", "figure": "ratio_to_stock", "floor": 5.0},
        {"array": "16x16-axi128", "work": "8 × 1×1×1", "figure": "cycles_per_second", "floor": 1e6},
    ]
    rows = [row("loops", 8e5), row("stock", 2e5), row("amaranth", 100.0), row("cocotb", None, "install it")]
    rows += [row("loops", 6.0, work="other"), row("stock", 2.0, work="other")]
    data = {"rows": rows, "floors": floors}
    assert values("sim", data) == {
        "16x16 8 × 1×1×1: loops, cycles per second": 8e5,
        "16x16 8 × 1×1×1: loops ÷ stock": 4.0,
        "16x16 8 × 1×1×1: loops ÷ amaranth": 8000.0,
        "16x16 other: loops, cycles per second": 6.0,
        "16x16 other: loops ÷ stock": 3.0,
        "wrong elements": 0,
    }
    figures = list(BENCHES["sim"].figures(data).values())
    assert [figure.floor for figure in figures] == [1e6, 5.0, None, None, None, 0]
    assert [figure.passed for figure in figures] == [False, False, True, True, True, True]
    assert [figure.noise for figure in figures] == [None, 0.2, 0.2, None, 0.2, 0.0]


def test_cycles():
    layer = {"array": "16x16-axi128", "tokens": 32, "rtl_cycles": 1000, "mismatches": 1}
    data = {"layers": [layer | {"speed_ratio": 250.0, "floor": 100.0}]}
    assert values("cycles", data) == {
        "16x16 MiniLM layer, 32 tokens: rtl cycles": 1000,
        "16x16 MiniLM layer, 32 tokens: wrong predictions": 1,
        "16x16 MiniLM layer, 32 tokens: cycle model ÷ rtl, speed": 250.0,
    }
    assert [figure.passed for figure in BENCHES["cycles"].figures(data).values()] == [True, False, True]


def test_pool():
    row = {"work": "one GEMM", "throughput_ratio": 1.6, "floor": 1.7, "cycle_ratio": 1.99, "mismatches": 0}
    row["cpu_ratio"] = 1.9
    data = {"array": "16x16-axi128", "workers": 2, "rows": [row]}
    assert values("pool", data) == {
        "16x16 2 devices, one GEMM: throughput ratio": 1.6,
        "16x16 2 devices, one GEMM: throughput ratio, CPU time": 1.9,
        "16x16 2 devices, one GEMM: cycle ratio": 1.99,
        "wrong elements": 0,
    }
    assert [figure.passed for figure in BENCHES["pool"].figures(data).values()] == [False, True, True, True]


def test_run():
    data = {"array": "16x16-axi128", "model": "m", "host_seconds": 1.0, "device_seconds": 7.0}
    data |= {"cycles": 100, "mismatches": ["a"], "similarities": [1.0]}
    assert values("run", data) == {
        "16x16 m: host share of the time": 0.125,
        "16x16 m: cycles": 100,
        "16x16 m: wrong products": 1,
    }
    assert [figure.passed for figure in BENCHES["run"].figures(data).values()] == [False, True, False]
    shown = ("tokens", "gemms", "roofline_cycles", "utilization", "sim_hz")
    assert "similarities" not in BENCHES["run"].tables(data | dict.fromkeys(shown))
