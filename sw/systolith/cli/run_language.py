"""Text continued on a device: what ``systolith run smollm2`` does."""

import time

import typer

from systolith.records import Trace

from .gemm_table import gemm_facts, print_gemms, print_verdict, verification_facts
from .models import weight_facts
from .options import device_facts
from .output import finish, number, printable, progress, results
from .streaming import TextStream

__all__ = ["continue_text"]

DEFAULT_CLOCK_MHZ = 100.0


def continue_text(model, prompt, count, *, chat, clock_mhz, open_device, devices, facts, verify, as_json):
    """Make text, a token at a time, print it as it comes and then the results, and end the command.

    Parameters
    ----------
    model : LanguageModel
    prompt : str
    count : int
        Tokens to make at most.
    chat : bool
        Whether the prompt is a question to be answered rather than text to be continued.
    clock_mhz : float or None
    open_device : callable
        Opens the device, as the last that can fail before it is used.
    devices : int
    facts : dict
        Of the target, for the results.
    verify : bool
    as_json : bool

    Raises
    ------
    typer.BadParameter
        If prompt and tokens are together more than the model can take.
    """
    try:
        ids = model.tokenize(prompt, chat=chat)
        model.check_length(len(ids), count)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--prompt, --tokens") from None
    from systolith.torch import Verifier, offload

    verifier = Verifier() if verify else None
    with open_device() as device:
        clock_mhz = clock_mhz or _own_clock_mhz(device) or DEFAULT_CLOCK_MHZ
        progress("quantizing and packing the weights")
        network = offload(model.network, device=device, verifier=verifier)
        weights = weight_facts(network)
        if not as_json:
            results.print(f"[bold]{model.name}[/] on target {facts['target']}, array {device.config}\n")
            results.print(f"{printable(prompt)} ({len(ids)} tokens)\n", markup=False)
        made, traces, seconds = [], [], []
        pieces = model.pieces()
        start = time.perf_counter()
        with TextStream(shown=not as_json) as stream:
            stream.add("", f"prompt of {len(ids)} tokens …")
            steps = model.generate(ids, count, network=network)
            for _ in range(count):
                with device.tracing() as trace:
                    token = next(steps, None)
                if token is None:
                    break
                seconds.append(time.perf_counter() - start - sum(seconds))
                made.append(token)
                traces.append(trace)
                stream.add(pieces(token), _progress(len(made), count, trace, seconds[-1], clock_mhz))
    prefill, decode = traces[0], Trace(record for trace in traces[1:] for record in trace)
    phases = {"prefill": prefill, "decode": decode}
    whole = prefill + decode
    shares = {
        "device_seconds": whole.seconds,
        "verify_seconds": 0.0 if verifier is None else verifier.seconds,
    }
    shares["host_seconds"] = sum(seconds) - sum(shares.values())
    data = {
        "model": model.name,
        "array": str(device.config),
        **facts,
        **weights,
        **device_facts(devices, whole),
        "prompt": prompt,
        "prompt_tokens": len(ids),
        "text": model.decode(made),
        "tokens": made,
        "ended": made[-1] == model.end,
        "float32_agreement": _agreement(model, ids, made),
        "clock_mhz": clock_mhz,
        **{name: _phase(trace) for name, trace in phases.items() if trace},
        **verification_facts(verifier, whole.macs),
        **gemm_facts(whole),
        "token_seconds": seconds,
        "seconds": sum(seconds),
        **shares,
    }
    finish(
        data,
        as_json=as_json,
        ok=data["bit_exact"] is not False,
        render=lambda: _render(data, phases),
    )


def _own_clock_mhz(device):
    """The clock that a board runs with; None in simulation."""
    clock_hz = getattr(getattr(device, "transport", None), "clock_hz", None)
    return clock_hz and clock_hz / 1e6


def _agreement(model, ids, made):
    """Share of the tokens made that float32 would have made, too, after the same tokens before."""
    likeliest = model.logits([*ids, *made[:-1]], first=len(ids) - 1).argmax(dim=-1).tolist()
    return sum(ours == wanted for ours, wanted in zip(made, likeliest, strict=True)) / len(made)


def _phase(trace):
    """What the results tell of the tokens of one phase, and of its GEMMs."""
    return {**gemm_facts(trace), "makespan_cycles": trace.makespan_cycles}


def _progress(index, count, trace, seconds, clock_mhz):
    cycles = trace.makespan_cycles
    if cycles is None:
        return f"token {index} of {count}: {seconds:.2f} s"
    rate = f"{clock_mhz * 1e6 / cycles:,.1f} tokens/s at {clock_mhz:g} MHz"
    return f"token {index} of {count}: {number(cycles)} cycles, {rate}, {seconds:.2f} s"


def _render(data, phases):
    results.print()
    clock = data["clock_mhz"]
    results.print(_told("prefill", data["prompt_tokens"], data["prefill"], data["token_seconds"][:1], clock))
    print_gemms("GEMMs of the prefill by shape", phases["prefill"])
    if phases["decode"]:
        later = data["token_seconds"][1:]
        results.print(_told("decode", len(later), data["decode"], later, clock))
        print_gemms("GEMMs of decoding by shape", phases["decode"])
    made = len(data["tokens"])
    agreeing = round(made * data["float32_agreement"])
    results.print(f"{agreeing} of {made} tokens are float32's choice after the same text")
    print_verdict(data)


def _told(phase, tokens, facts, seconds, clock_mhz):
    """One line on a phase: its tokens, cycles and speed."""
    line = f"{phase}: {tokens} tokens, {sum(seconds):.2f} s"
    cycles = facts["makespan_cycles"]
    if cycles is None:
        return line
    rate = tokens * clock_mhz * 1e6 / cycles
    return f"{line}, {number(cycles)} cycles, {rate:,.1f} tokens/s at {clock_mhz:g} MHz"
