"""From configuration, descriptors and memory timing to counters."""

import ctypes
import functools

from systolith_hw.accelerator import WRITE_QUEUE_DEPTH
from systolith_hw.accumulators import AccumulatorBank
from systolith_hw.array import SystolicArray
from systolith_hw.axi import BOUNDARY_BYTES
from systolith_hw.config import PARAMETER_BYTES
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES, BLayout, Counters, Output, Reject
from systolith_hw.epilogue import Epilogue
from systolith_hw.pe import ProcessingElement
from systolith_hw.queue import Queue
from systolith_hw.read_dma import ReadDma
from systolith_hw.row_feeder import RowFeeder
from systolith_hw.weight_feeder import WeightFeeder

from systolith_sim.timing import DEFAULT_TIMING

from .library import RawCounters, RawDescriptor, RawSetup, load_model

__all__ = ["predict"]

_COPIED = (
    *("m", "k", "n", "batch", "m_block", "parameters"),
    *("a_address", "b_address", "d_address", "parameter_address", "a_stride", "b_stride", "d_stride"),
    *("a_batch_stride", "b_batch_stride", "d_batch_stride"),
)
_COUNTERS = tuple(name for name, _ in RawCounters._fields_)
_NOTHING = Counters(**dict.fromkeys(_COUNTERS, 0))


def predict(config, descriptors, *, timing=DEFAULT_TIMING, ring_base=0, ring_slots=1 << 15, first_index=0):
    """What the device reports of a queue that is submitted at once, while it is idle.

    The counters are those of the RTL, exactly, if every access succeeds.

    Parameters
    ----------
    config : ArrayConfig
    descriptors : sequence of Descriptor
    timing : MemoryTiming
        Without random stalls.
    ring_base : int
        Address of the descriptor ring.
    ring_slots : int
        Its slots, a power of two.
    first_index : int
        Descriptors that were submitted before.

    Returns
    -------
    list of Counters
        One for each descriptor. One that the device rejects is charged nothing.

    Raises
    ------
    ValueError
        If the timing has random stalls.
    BuildError
        If the model has to be built and cannot be.
    """
    if any(timing.stall_probability.values()):
        raise ValueError(f"timing must be without random stalls, not {timing}")
    raw = (RawDescriptor * len(descriptors))(*(_raw_descriptor(config, each) for each in descriptors))
    out = (RawCounters * len(descriptors))()
    setup = RawSetup(
        **_hardware(config),
        read_latency=timing.latency_cycles,
        write_latency=timing.write_latency_cycles,
        read_numerator=timing.read_bandwidth.numerator,
        read_denominator=timing.read_bandwidth.denominator,
        write_numerator=timing.write_bandwidth.numerator,
        write_denominator=timing.write_bandwidth.denominator,
        ring_base=ring_base,
        ring_slots=ring_slots,
        first_index=first_index,
        boundary_bytes=BOUNDARY_BYTES,
        slot_bytes=SLOT_BYTES,
        record_bytes=RECORD_BYTES,
        parameter_bytes=PARAMETER_BYTES,
    )
    ended = load_model()(ctypes.byref(setup), raw, len(raw), out)
    assert ended, f"the model stopped: {config}, {descriptors}, {timing}"
    results = iter(out)
    return [_counters(next(results)) if each.runs else _NOTHING for each in raw]


def _counters(raw):
    return Counters(**{name: getattr(raw, name) for name in _COUNTERS})


@functools.lru_cache(maxsize=4096)
def _raw_descriptor(config, descriptor):
    return RawDescriptor(
        **{name: getattr(descriptor, name) for name in _COPIED},
        runs=descriptor.check(config) is Reject.NONE,
        by_column=descriptor.b_layout is BLayout.NK,
        result_bytes=1 if descriptor.output is Output.INT8 else 4,
    )


@functools.cache
def _hardware(config):
    """The fields of ``Setup`` that follow from the configuration and its components."""
    # As SystolicArray.latency and .swap_to_load: an array that is made only to be asked would be reported as
    # unused.
    issue_to_psum = RowFeeder.LATENCY + ProcessingElement.LATENCY + config.rows - 1
    swap_to_load = max(config.rows, config.columns) - SystolicArray.LOAD_TO_SWAP
    return {
        "rows": config.rows,
        "columns": config.columns,
        "bus_log2": config.bus_bytes.bit_length() - 1,
        "line_log2": config.line_bytes.bit_length() - 1,
        "burst_lines": config.burst_lines,
        "parameter_lines": config.parameter_lines,
        "a_buffer_lines": config.a_buffer_lines,
        "b_buffer_lines": config.b_buffer_lines,
        "epilogue_lanes": config.epilogue_lanes,
        "outstanding": config.outstanding,
        "descriptor_slots": config.descriptor_slots,
        "queue": Queue.LATENCY,
        "read_dma": ReadDma.LATENCY,
        "load_to_ready": WeightFeeder.LATENCY + SystolicArray.LOAD_TO_SWAP - RowFeeder.LATENCY,
        "swap_to_load": swap_to_load,
        "hazard": AccumulatorBank.HAZARD_CYCLES,
        "issue_to_store": issue_to_psum + config.columns + AccumulatorBank.HAZARD_CYCLES - 2,
        "lanes": Epilogue.LATENCY - 1 - Queue.LATENCY,
        "epilogue_places": Epilogue.QUEUE_DEPTH,
        "write_queue": WRITE_QUEUE_DEPTH,
    }
