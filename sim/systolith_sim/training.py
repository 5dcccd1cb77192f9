"""A typical run of a device: what the compiler learns from before it builds the model that is kept."""

import sys

import numpy as np
from systolith_hw import ArrayConfig, BLayout, Code, Descriptor, Output
from systolith_hw.descriptor import RECORD_BYTES, SLOT_BYTES
from systolith_hw.registers import REGISTERS, Control, Interrupt

from .errors import SimulationError
from .simulator import Simulator

__all__ = ["train"]

MEMORY_BYTES = 1 << 24
RING_LOG2 = 3
OPERANDS, PARAMETERS, RESULTS = 1 << 20, 7 << 20, 8 << 20


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
        memory[OPERANDS:RESULTS] = np.random.default_rng(0).integers(0, 256, RESULTS - OPERANDS, np.uint8)
        descriptors = _descriptors(config)
        for index, descriptor in enumerate(descriptors):
            slot = memory[index * SLOT_BYTES :][:RECORD_BYTES]
            slot[:] = np.frombuffer(descriptor.pack(), np.uint8)
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
    # A small buffer of A does not hold a row of every one.
    products = [each for each in products if config.max_m_block(each["k"])]
    last = len(products) - 1
    return [_descriptor(config, interrupt=index == last, **each) for index, each in enumerate(products)]


def _descriptor(config, *, m, k, n, b_layout, output, batch=1, parameters=False, interrupt=False):
    def stride(nbytes):
        return -(-nbytes // config.bus_bytes) * config.bus_bytes

    b_rows, b_columns = (k, n) if b_layout is BLayout.KN else (n, k)
    strides = {"a": stride(k), "b": stride(b_columns), "d": stride(n if output is Output.INT8 else 4 * n)}
    return Descriptor(
        m=m,
        k=k,
        n=n,
        batch=batch,
        m_block=min(m, config.max_m_block(k)),
        b_layout=b_layout,
        output=output,
        parameters=parameters,
        a_address=OPERANDS,
        b_address=OPERANDS + (1 << 20),
        d_address=RESULTS,
        parameter_address=PARAMETERS,
        a_stride=strides["a"],
        b_stride=strides["b"],
        d_stride=strides["d"],
        a_batch_stride=m * strides["a"],
        b_batch_stride=b_rows * strides["b"],
        d_batch_stride=m * strides["d"],
        interrupt=interrupt,
    )


if __name__ == "__main__":
    train(sys.argv[1], ArrayConfig.parse(sys.argv[2]))
