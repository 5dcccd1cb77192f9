"""A typical run of a device: what the compiler learns from before it builds the model that is kept."""

import itertools
import sys

import numpy as np
from systolith_hw import ArrayConfig, BLayout, Code, Descriptor, Output
from systolith_hw.config import PARAMETER_BYTES
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES, Reject
from systolith_hw.registers import REGISTERS, Control, Interrupt

from .errors import SimulationError
from .simulator import Simulator

__all__ = ["train"]

MEMORY_BYTES = 1 << 17
RING_LOG2 = 3
OPERANDS = SLOT_BYTES << RING_LOG2


def train(library, config):
    """Run the products of a transformer layer on random operands.

    Parameters
    ----------
    library : path
        A model of ``config``; if it is instrumented, its counts are written when this process ends.
    config : ArrayConfig

    Raises
    ------
    SimulationError
        If a product does not succeed.
    """
    with Simulator(library, memory_bytes=MEMORY_BYTES) as simulator:
        memory = simulator.memory
        memory[:] = np.random.default_rng(0).integers(0, 256, MEMORY_BYTES, np.uint8)
        descriptors = _descriptors(config)
        for index, descriptor in enumerate(descriptors):
            slot = memory[index * SLOT_BYTES :][:SLOT_BYTES]
            slot[:] = np.frombuffer(descriptor.pack().ljust(SLOT_BYTES, b"\0"), np.uint8)
        registers = {
            "ring_base": 0,
            "ring_size": RING_LOG2,
            "irq_enable": Interrupt.COMPLETION,
            "control": Control.ENABLE,
            "ring_tail": len(descriptors),
        }
        for name, value in registers.items():
            simulator.write_register(REGISTERS[name].offset, value)
        simulator.run()
        codes = [memory[index * SLOT_BYTES + RECORD_BYTES] for index in range(len(descriptors))]
    if any(code != Code.OK for code in codes):
        raise SimulationError(f"the products of the training run ended with the codes {codes}")


def _descriptors(config):
    """Two products of a linear layer and attention's two over a batch of heads; the last interrupts."""
    linear = {"m": 64, "k": 256, "n": 192, "b_layout": BLayout.NK}
    products = [
        {**linear, "output": Output.INT8, "parameters": True},
        {**linear, "output": Output.INT32, "parameters": False},
        {"m": 32, "k": 64, "n": 32, "b_layout": BLayout.NK, "batch": 6, "output": Output.INT32},
        {"m": 32, "k": 32, "n": 64, "b_layout": BLayout.KN, "batch": 6, "output": Output.INT32},
    ]
    last = len(products) - 1
    return [_fitting(config, interrupt=index == last, **each) for index, each in enumerate(products)]


def _fitting(config, *, m, k, n, **fields):
    """A product, its sizes halved until a device of this configuration runs it."""
    while True:
        descriptor, end = _descriptor(config, m=m, k=k, n=n, **fields)
        if end <= min(MEMORY_BYTES, 1 << config.address_bits) and descriptor.check(config) is Reject.NONE:
            return descriptor
        m, k, n = (-(-size // 2) for size in (m, k, n))


def _descriptor(config, *, m, k, n, b_layout, output, batch=1, parameters=False, interrupt=False):
    """A product whose operands lie one after the other behind the ring, and where they end."""

    def padded(nbytes):
        return -(-nbytes // config.bus_bytes) * config.bus_bytes

    b_rows, b_columns = (k, n) if b_layout is BLayout.KN else (n, k)
    strides = {"a": padded(k), "b": padded(b_columns), "d": padded(n if output is Output.INT8 else 4 * n)}
    batch_strides = {name: rows * strides[name] for name, rows in (("a", m), ("b", b_rows), ("d", m))}
    sizes = {name: batch * nbytes for name, nbytes in batch_strides.items()}
    sizes["parameter"] = padded(PARAMETER_BYTES * n)
    *begins, end = itertools.accumulate(sizes.values(), initial=OPERANDS)
    descriptor = Descriptor(
        m=m,
        k=k,
        n=n,
        batch=batch,
        m_block=min(m, config.max_m_block(k)),
        b_layout=b_layout,
        output=output,
        parameters=parameters,
        interrupt=interrupt,
        **{f"{name}_address": begin for name, begin in zip(sizes, begins, strict=True)},
        **{f"{name}_stride": nbytes for name, nbytes in strides.items()},
        **{f"{name}_batch_stride": nbytes for name, nbytes in batch_strides.items()},
    )
    return descriptor, end


if __name__ == "__main__":
    train(sys.argv[1], ArrayConfig.parse(sys.argv[2]))
