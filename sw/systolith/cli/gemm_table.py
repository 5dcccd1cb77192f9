"""What is told of many GEMMs: how many of each shape, their cycles, and whether they are right."""

from systolith import report

from .output import cycle_origin, cycles_by_device, number, percent, results, table

__all__ = ["gemm_facts", "print_gemms", "print_verdict", "verification_facts"]


def gemm_facts(trace):
    """What the results tell of a trace: totals, and one row per shape.

    Parameters
    ----------
    trace : Trace

    Returns
    -------
    dict
    """
    total = report.total(trace)
    return {
        "gemms": total.count,
        "macs": total.macs,
        "cycles": total.cycles,
        "cycle_source": total.cycle_source,
        "roofline_cycles": total.roofline_cycles,
        "utilization": total.utilization,
        "counters": total.as_dict()["counters"],
        "sim_hz": total.simulation_hz,
        "shapes": [row.as_dict() for row in report.rows(trace, key=_by_shape)],
    }


def verification_facts(verifier, macs):
    """What the results tell of a verifier.

    Parameters
    ----------
    verifier : Verifier or None
        None: nothing was compared.
    macs : int
        Multiply-accumulates that ran, all of which have to have been compared.

    Returns
    -------
    dict
    """
    if verifier is None:
        return {"bit_exact": None, "mismatches": [], "products": 0, "compared_macs": 0}
    return {
        "bit_exact": verifier.bit_exact and verifier.macs == macs,
        "mismatches": [str(mismatch) for mismatch in verifier.mismatches],
        "products": verifier.checked,
        "compared_macs": verifier.macs,
    }


def print_gemms(title, trace):
    """The table of a trace's GEMMs, one row per shape."""
    rows = [*report.rows(trace, key=_by_shape), report.total(trace)]
    results.print(f"[bold]{title} (batch × M×K×N, layout of B)[/]")
    results.print(_shapes(rows))


def _by_shape(record):
    """What GEMMs are grouped by: their shapes, but for the number of keys that attention products see."""
    part = record.label.rpartition(".")[2]
    sizes = {"qk": (part, record.m, record.k), "pv": (part, record.m, record.n)}
    return record.batch, record.b_layout, sizes.get(part, (record.m, record.k, record.n))


def print_verdict(data):
    """Where the cycles come from, how long it took, and whether the results are right.

    Parameters
    ----------
    data : dict
        A command's results.
    """
    if data["devices"] > 1 and data["cycles"] is not None:
        results.print(cycles_by_device(data))
    results.print(cycle_origin(data))
    results.print(_seconds(data))
    if data["bit_exact"] is None:
        results.print("not compared with the golden arithmetic")
    elif data["bit_exact"]:
        results.print(f"[green]all {data['products']:,} results equal the golden arithmetic bit for bit[/]")
    else:
        found = "not equal to" if data["mismatches"] else "not shown to equal"
        results.print(f"[bold red]{found} the golden arithmetic:[/]")
        for mismatch in data["mismatches"]:
            results.print(f"  {mismatch}", markup=False)
        results.print(f"  {data['compared_macs']:,} of {data['macs']:,} multiply-accumulates were compared")


def _seconds(data):
    """How long the model ran, and where; comparing the results is no part of running it."""
    device, host = data["device_seconds"], data["host_seconds"]
    speed = "" if data["sim_hz"] is None else f" at {data['sim_hz']:,.0f} cycles per second"
    comparing = "" if data["bit_exact"] is None else f"; comparing took {data['verify_seconds']:.2f} s"
    return (
        f"{device + host:.2f} s: {device:.2f} s in the device{speed}, "
        f"{percent(host / (device + host))} on the host{comparing}"
    )


def _shapes(rows):
    columns = ["shape", "count", "MACs"]
    has_cycles = rows[-1].counters is not None
    if has_cycles:
        columns += ["cycles", "utilization", "÷ roofline", "wait A", "wait B", "wait output", "fill + drain"]
    listing = table(None, *columns)
    for row in rows:
        if row is rows[-1]:
            listing.add_section()
        cells = [row.kind, number(row.count), number(row.macs)]
        if has_cycles:
            counters = row.counters
            waits = (counters.wait_a, counters.wait_b, counters.wait_output, counters.fill + counters.drain)
            cells += [number(row.cycles), percent(row.utilization), f"{row.ratio:.3f}"]
            cells += [percent(wait / counters.total) for wait in waits]
        listing.add_row(*cells)
    return listing
