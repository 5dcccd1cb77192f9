"""The GEMMs whose cycles are compared with the roofline: those of MiniLM and SmolLM2-135M."""

import dataclasses

from systolith_hw import BLayout, Descriptor, Output

from systolith.memory import round_up
from systolith.tiling import m_block

__all__ = ["GemmCase", "gemm_cases", "longest_k"]

LINEAR = (
    ("minilm", ((384, 384), (384, 1536), (1536, 384))),
    ("smollm2", ((576, 576), (576, 192), (576, 1536), (1536, 576))),
)
"""K and N of the models' linear layers."""

ATTENTION_MN = ((32, 32), (64, 64), (128, 128), (32, 128), (128, 32))
ATTENTION_K = 64
HEADS = 9
"""SmolLM2-135M's."""

FLOORS = {"linear": 1.05, "attention": 1.15, "decode": 1.10}
"""Most that cycles ÷ roofline may be."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GemmCase:
    """One queue of equal GEMMs.

    Parameters
    ----------
    kind : str
        A key of the floors: ``"linear"``, ``"attention"`` or ``"decode"``.
    name : str
        Whose shape it is.
    m, k, n, batch : int
    b_layout : BLayout
    output : Output
    """

    kind: str
    name: str
    m: int
    k: int
    n: int
    batch: int = 1
    b_layout: BLayout
    output: Output

    @property
    def floor(self):
        """Most that cycles ÷ roofline may be."""
        return FLOORS[self.kind]

    def output_bound(self, config):
        """Whether the output path is itself the roofline."""
        whole = self.descriptor(config)
        element = 1 if self.output is Output.INT8 else 4
        written = -(-self.batch * self.m * self.n * element // config.bus_bytes)
        return written >= whole.roofline_cycles(config)

    def descriptor(self, config, *, a=0, b=0, d=0, parameters=0):
        """The descriptor for operands at these addresses, rows padded to the bus.

        Returns
        -------
        Descriptor
        """
        bus = config.bus_bytes
        a_stride = round_up(self.k, bus)
        b_rows, b_columns = (self.k, self.n) if self.b_layout is BLayout.KN else (self.n, self.k)
        b_stride = round_up(b_columns, bus)
        d_stride = round_up(self.n * (1 if self.output is Output.INT8 else 4), bus)
        batched = self.batch > 1
        return Descriptor(
            m=self.m,
            k=self.k,
            n=self.n,
            batch=self.batch,
            m_block=m_block(self.m, self.k, config),
            b_layout=self.b_layout,
            output=self.output,
            parameters=self.output is Output.INT8,
            a_address=a,
            b_address=b,
            d_address=d,
            parameter_address=parameters,
            a_stride=a_stride,
            b_stride=b_stride,
            d_stride=d_stride,
            a_batch_stride=self.m * a_stride * batched,
            b_batch_stride=b_rows * b_stride * batched,
            d_batch_stride=self.m * d_stride * batched,
        )


def gemm_cases(config, *, kinds=tuple(FLOORS)):
    """The shapes of MiniLM and SmolLM2-135M for which the output path is not itself the roofline.

    Parameters
    ----------
    config : ArrayConfig
    kinds : collection of str

    Yields
    ------
    GemmCase
    """
    for case in _cases():
        if case.kind in kinds and not case.output_bound(config):
            yield case


def longest_k(kinds):
    """The largest K of the cases of these kinds."""
    return max(case.k for case in _cases() if case.kind in kinds)


def _cases():
    outputs = (Output.INT8, Output.INT32)
    for name, shapes in LINEAR:
        for k, n in shapes:
            for m, output in ((64, Output.INT8), (64, Output.INT32), (128, Output.INT8)):
                yield GemmCase(kind="linear", name=name, m=m, k=k, n=n, b_layout=BLayout.NK, output=output)
    # One with the other layout: its weights take another way into the array.
    for output in outputs:
        yield GemmCase(kind="linear", name="minilm", m=64, k=384, n=384, b_layout=BLayout.KN, output=output)
    for m, n in ATTENTION_MN:
        for b_layout in (BLayout.NK, BLayout.KN):
            for output in outputs:
                yield GemmCase(
                    kind="attention",
                    name="smollm2",
                    m=m,
                    k=ATTENTION_K,
                    n=n,
                    batch=HEADS,
                    b_layout=b_layout,
                    output=output,
                )
    for name, shapes in LINEAR:
        for k, n in shapes:
            for b_layout in (BLayout.NK, BLayout.KN):
                for output in outputs:
                    yield GemmCase(kind="decode", name=name, m=1, k=k, n=n, b_layout=b_layout, output=output)
