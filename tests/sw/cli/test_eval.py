"""systolith eval."""

import pytest

FACTS = {"scheme", "target", "array", "text", "top1_agreement", "cycles", "read_bytes", "written_bytes"}


def test_eval_sentences(systolith):
    result = systolith("eval", "minilm", "--target", "golden", "--json")
    assert result.code == 0
    data = result.json
    assert data.keys() >= FACTS
    assert (data["scheme"], data["text"], data["sentences"]) == ("w8a8", "pride_and_prejudice", 56)
    assert data["cosine_min"] >= 0.995
    assert data["cosine_mean"] >= 0.999
    assert data["top1_agreement"] >= 0.9
    assert (data["cycles"], data["calibration"], data["static_layers"]) == (None, None, 0)
    assert data["macs"] == sum(shape["macs"] for shape in data["shapes"])


def test_eval_static(systolith, tmp_path):
    """Scales from the calibration text, on another; with a fallback where a limit of its own was measured."""
    text = tmp_path / "text"
    text.write_text("The cat sat on the mat. A kitten is asleep.\nShares fell sharply today. Prices rose.")
    arguments = ("eval", "minilm", "--target", "golden", "--text", text)
    static = systolith(*arguments, "--scheme", "w8a8-static", "--json").json
    everywhere = systolith(*arguments, "--scheme", "w8a8-static-all", "--json").json
    assert (static["text"], static["calibration"]) == (str(text), "gettysburg_address")
    assert static["sentences"] == 4
    assert static["static_layers"] + len(static["per_token_layers"]) == 36
    assert (everywhere["static_layers"], everywhere["per_token_layers"]) == (36, [])
    assert static["cosine_min"] > 0.99
    assert everywhere["cosine_min"] > 0.9
    assert static["cosine_mean"] >= everywhere["cosine_mean"] - 0.001


@pytest.mark.long
def test_eval_language(systolith):
    arguments = ("eval", "smollm2", "--target", "model", "--tokens", 64, "--window", 33)
    result = systolith(*arguments, "--json")
    assert result.code == 0
    data = result.json
    assert data.keys() >= FACTS
    assert (data["tokens"], data["window"], data["predicted_tokens"]) == (64, 33, 62)
    assert data["perplexity"] / data["perplexity_float32"] == pytest.approx(data["perplexity_ratio"])
    assert data["perplexity_ratio"] < 1.08
    assert data["top1_agreement"] > 0.8
    # the weights once for each window, the head's result for every token
    assert data["read_bytes"] > 2 * 134_000_000
    assert data["written_bytes"] > 64 * 49152 * 4
    assert data["cycles"] >= data["roofline_cycles"]


@pytest.mark.slow
def test_eval_rtl(systolith):
    """The same figures, and the same cycles, as in the cycle model."""
    arguments = ("eval", "smollm2", "--tokens", 4, "--json", "--target")
    rtl, model = (systolith(*arguments, target).json for target in ("rtl", "model"))
    for name in ("perplexity", "top1_agreement", "cycles", "counters", "read_bytes", "written_bytes"):
        assert rtl[name] == model[name] is not None


def test_eval_rendered(systolith, tmp_path):
    text = tmp_path / "text"
    text.write_text("One is here. Two are there.")
    result = systolith("eval", "minilm", "--target", "golden", "--scheme", "w8a8-static-all", "--text", text)
    assert result.code == 0
    assert "all-MiniLM-L6-v2, w8a8-static-all, on target golden\n" in result.out
    assert "36 layers with a scale from gettysburg_address, per token: none\n" in result.out
    assert "\ncosine min: 0.9" in result.out
    assert "\ntop1 agreement: 1.0000\n" in result.out
    assert "; bytes read " in result.out
    assert "the target golden has no notion of cycles" in result.out
    assert "calibrating …\n" in result.err


def test_eval_wrong_is_quick(fails, monkeypatch, tmp_path):
    import systolith.cli.eval as command

    monkeypatch.setattr(command, "load_model", lambda model: pytest.fail("loaded"))
    empty, binary, text = tmp_path / "empty", tmp_path / "binary", tmp_path / "text"
    empty.write_text("\n")
    binary.write_bytes(b"a\xff")
    text.write_text("One. Two.")
    same = tmp_path / "same"
    same.write_text("One.\nTwo.\n")
    static = ("--scheme", "w8a8-static")
    for arguments, message in (
        (["--text", empty], "Invalid value for --text: a text must not be empty"),
        (["--text", binary], f"Invalid value for --text: {binary} must be UTF-8 text, but byte 1 is not"),
        (
            ["--calibration", text],
            "Invalid value for --calibration: the scheme w8a8 needs no text",
        ),
        (
            [*static, "--text", text, "--calibration", same],
            "Invalid value for --calibration: must not be the text that is evaluated",
        ),
        (
            ["--scheme", "w4"],
            "Invalid value for '--scheme': must be w8a8 or w8a8-static or w8a8-static-all, not 'w4'",
        ),
        (["--window", 1], "Invalid value for '--window': must be an integer from 2 to 8192, not '1'"),
    ):
        assert fails("eval", "smollm2", *arguments) == message
    missing = tmp_path / "missing"
    assert str(missing) in fails("eval", "minilm", "--text", missing)


def test_eval_too_short(fails, tmp_path):
    text = tmp_path / "text"
    text.write_text("One")
    assert fails("eval", "minilm", "--target", "golden", "--text", text) == (
        "Invalid value for --text, --calibration: a text must have at least 2 sentences to be compared, not 1"
    )
    assert fails("eval", "smollm2", "--target", "golden", "--text", text) == (
        "Invalid value for --text, --calibration: a text must have at least 2 tokens to be predicted, not 1"
    )
