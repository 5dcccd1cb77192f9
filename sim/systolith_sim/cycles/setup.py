"""What the model is told: one accelerator with its memory, and the descriptors, as records of integers.

A record's fields are declared where their values are: here and nowhere else.
"""

import functools

import numpy as np
from systolith_hw.accelerator import WRITE_QUEUE_DEPTH
from systolith_hw.accumulators import AccumulatorBank
from systolith_hw.array import SystolicArray, column_lead, psum_latency, swap_to_load
from systolith_hw.axi import BOUNDARY_BYTES
from systolith_hw.config import PARAMETER_BYTES
from systolith_hw.counters import CycleCounters
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES, BLayout, Output, Reject
from systolith_hw.descriptor_fetch import DescriptorFetch
from systolith_hw.epilogue import Epilogue
from systolith_hw.queue import Queue
from systolith_hw.read_dma import ReadDma
from systolith_hw.row_feeder import RowFeeder
from systolith_hw.serial_epilogue import SerialEpilogue
from systolith_hw.weight_feeder import WeightFeeder

__all__ = ["DESCRIPTOR", "descriptor_records", "setup_record"]

_COPIED = (
    *("m", "k", "n", "batch", "m_block", "parameters"),
    *("a_address", "b_address", "d_address", "parameter_address", "a_stride", "b_stride", "d_stride"),
    *("a_batch_stride", "b_batch_stride", "d_batch_stride"),
)
_DERIVED = {
    "runs": lambda config, descriptor: descriptor.check(config) is Reject.NONE,
    "by_column": lambda _, descriptor: descriptor.b_layout is BLayout.NK,
    "result_bytes": lambda _, descriptor: 1 if descriptor.output is Output.INT8 else 4,
}

DESCRIPTOR = np.dtype([(name, np.int64) for name in (*_COPIED, *_DERIVED)])
"""Of one descriptor; ``runs`` tells whether the device runs it or rejects it."""


def setup_record(config, timing, *, ring_base, ring_slots, first_index):
    """The accelerator, its memory and its ring.

    Parameters
    ----------
    config : ArrayConfig
    timing : MemoryTiming
    ring_base, ring_slots, first_index : int
        As for :func:`~.prediction.predict`.

    Returns
    -------
    ``(1,)`` array of records
    """
    values = {
        **_hardware(config),
        "read_latency": timing.latency_cycles,
        "write_latency": timing.write_latency_cycles,
        "read_numerator": timing.read_bandwidth.numerator,
        "read_denominator": timing.read_bandwidth.denominator,
        "write_numerator": timing.write_bandwidth.numerator,
        "write_denominator": timing.write_bandwidth.denominator,
        "ring_base": ring_base,
        "ring_slots": ring_slots,
        "first_index": first_index,
        "boundary_bytes": BOUNDARY_BYTES,
        "slot_bytes": SLOT_BYTES,
        "record_bytes": RECORD_BYTES,
        "parameter_bytes": PARAMETER_BYTES,
    }
    return np.array([tuple(values.values())], _layout(tuple(values)))


def descriptor_records(config, descriptors):
    """The descriptors of a queue.

    Parameters
    ----------
    config : ArrayConfig
    descriptors : sequence of Descriptor

    Returns
    -------
    ``(count,)`` array of DESCRIPTOR
    """
    return np.frombuffer(bytearray().join(_descriptor(config, each) for each in descriptors), DESCRIPTOR)


@functools.cache
def _layout(names):
    return np.dtype([(name, np.int64) for name in names])


@functools.lru_cache(maxsize=4096)
def _descriptor(config, descriptor):
    copied = [getattr(descriptor, name) for name in _COPIED]
    derived = [derive(config, descriptor) for derive in _DERIVED.values()]
    return np.array((*copied, *derived), np.int64).tobytes()


@functools.cache
def _hardware(config):
    """The fields that follow from the configuration and its components."""
    pipelined = config.lane_cycles == 1
    issue_to_psum = RowFeeder.LATENCY + psum_latency(config.rows)
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
        "check": DescriptorFetch.check_cycles(config),
        "counters": CycleCounters.LATENCY,
        "read_dma": ReadDma.LATENCY,
        "load_to_ready": WeightFeeder.LATENCY + SystolicArray.LOAD_TO_SWAP - RowFeeder.LATENCY,
        "swap_to_load": swap_to_load(config.rows, config.column_tiles),
        "column_lead": column_lead(config.columns, config.column_tiles),
        "hazard": AccumulatorBank.HAZARD_CYCLES,
        "issue_to_store": issue_to_psum
        + config.column_tiles
        + AccumulatorBank.HAZARD_CYCLES
        - AccumulatorBank.READ_CYCLES
        - 1,
        "epilogue": (Epilogue.LATENCY if pipelined else SerialEpilogue.latency(config)) - 1,
        "epilogue_places": Epilogue.QUEUE_DEPTH if pipelined else SerialEpilogue.PLACES,
        "write_queue": WRITE_QUEUE_DEPTH,
    }
