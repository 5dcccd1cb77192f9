"""systolith run smollm2."""

import json

import pytest
from systolith.cli import app
from typer.testing import CliRunner

PHASE_KEYS = {"gemms", "macs", "cycles", "makespan_cycles", "roofline_cycles", "counters", "shapes"}
LINEAR_MACS = 30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536)
HEAD_MACS = 576 * 49152


@pytest.fixture(scope="module")
def result():
    """A run in the cycle model; its object and what it told meanwhile."""
    arguments = ["run", "smollm2", "--prompt", "Hi", "--tokens", "3", "--raw", "--target", "model"]
    return CliRunner().invoke(app, [*arguments, "--array", "32x32", "--clock", "50", "--json"])


def test_run(result, systolith):

    assert result.exit_code == 0
    data = json.loads(result.stdout)
    assert data["model"] == "SmolLM2-135M-Instruct"
    assert data["array"].startswith("32x32-")
    assert (data["prompt"], data["prompt_tokens"]) == ("Hi", 1)
    assert len(data["tokens"]) == len(data["token_seconds"]) == 3
    assert data["text"]
    assert data["ended"] is False
    assert 0 <= data["float32_agreement"] <= 1
    assert data["bit_exact"] is True
    assert data["gemms"] == data["products"] == 3 * 271
    prefill, decode = data["prefill"], data["decode"]
    assert prefill.keys() >= PHASE_KEYS
    assert prefill["cycles"] + decode["cycles"] == data["cycles"]
    # a prompt of one token is as much work as any other token
    attention = 30 * 9 * 64 * 2
    assert prefill["macs"] == LINEAR_MACS + HEAD_MACS + attention
    assert decode["macs"] == 2 * (LINEAR_MACS + HEAD_MACS) + (2 + 3) * attention
    # bound by the memory: every weight once
    assert decode["cycles"] / 2 == pytest.approx((LINEAR_MACS + HEAD_MACS) / 32, rel=0.05)


def test_run_groups_growing_attention(result):

    kinds = [shape["kind"] for shape in json.loads(result.stdout)["decode"]["shapes"]]
    assert kinds == [
        "1×576×1536 nk",
        "1×576×49152 nk",
        "1×1536×576 nk",
        "1×576×576 nk",
        "1×576×192 nk",
        "3 × 3×64×2…3 nk",
        "3 × 3×2…3×64 kn",
    ]


def test_run_progress(result):
    lines = [line for line in result.stderr.splitlines() if line.startswith("token ")]
    assert len(lines) == 3
    assert lines[2].startswith("token 3 of 3: 4,2")
    assert " cycles, 11." in lines[2]
    assert " tokens/s at 50 MHz, " in lines[2]


def test_run_rendered(systolith):
    result = systolith("run", "smollm2", "--tokens", 2, "--target", "golden", "--no-verify")
    assert result.code == 0
    assert "\nWhy is the sky blue? (36 tokens)\n\n" in result.out
    assert "\nprefill: 36 tokens, " in result.out
    assert "GEMMs of the prefill by shape" in result.out
    assert "36×576×1536 nk" in result.out
    assert "\ndecode: 1 tokens, " in result.out
    assert "GEMMs of decoding by shape" in result.out
    assert " of 2 tokens are float32's choice after the same text\n" in result.out
    assert "the target golden has no notion of cycles\n" in result.out
    assert result.out.endswith("\nnot compared with the golden arithmetic\n")
    assert "token 2 of 2: " in result.err
    # what was made stands between the prompt and the tables
    text = result.out.partition("(36 tokens)\n\n")[2].partition("\n\nprefill")[0]
    assert text.strip()


def test_run_too_long(fails):
    message = fails("run", "smollm2", "--prompt", "x", "--raw", "--tokens", 8192, "--target", "golden")
    assert message == (
        "Invalid value for --prompt, --tokens: prompt and answer must have at most 8192 tokens together, "
        "not 1 and 8192"
    )


def test_run_wrong_is_quick(fails, monkeypatch):
    """Bad options are told before torch is loaded."""
    import systolith.cli.run as command

    monkeypatch.setattr(command, "load_model", lambda model, layers: pytest.fail("loaded"))
    for arguments, message in (
        (["--prompt", ""], "Invalid value for --prompt: a prompt must not be empty"),
        (["--prompt", "a\udcff"], r"Invalid value for --prompt: a prompt must be UTF-8 text, not 'a\udcff'"),
        (["--text", "One."], "Invalid value for --text: smollm2 takes --prompt instead"),
        (["--tokens", 0], "Invalid value for '--tokens': must be an integer of at least 1, not '0'"),
        (["--clock", 0], "Invalid value for '--clock': must be a number of at least 0.001, not '0'"),
    ):
        assert fails("run", "smollm2", *arguments) == message
