"""Bytes that GEMMs move between the device and its memory."""

from typing import NamedTuple

from systolith_hw import Output
from systolith_hw.config import PARAMETER_BYTES

__all__ = ["Traffic", "traffic"]


class Traffic(NamedTuple):
    """Bytes of operands and results, without padding, descriptors and records.

    Members
    -------
    read_bytes : int
        Of A once, of B and the parameters once for every block of M.
    written_bytes : int
        Of D.
    """

    read_bytes: int
    written_bytes: int


def traffic(trace):
    """What the device read and wrote for the GEMMs of a trace.

    Parameters
    ----------
    trace : iterable of Record

    Returns
    -------
    Traffic
    """
    descriptors = [descriptor for record in trace for descriptor in record.descriptors]
    return Traffic(sum(map(_read_bytes, descriptors)), sum(map(_written_bytes, descriptors)))


def _read_bytes(d):
    blocks = -(-d.m // d.m_block)
    parameters = d.n * PARAMETER_BYTES if d.parameters else 0
    return d.batch * (d.m * d.k + blocks * (d.k * d.n + parameters))


def _written_bytes(d):
    return d.batch * d.m * d.n * (1 if d.output is Output.INT8 else 4)
