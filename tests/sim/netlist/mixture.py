"""A design that needs every kind of cell, and the bench that runs its netlist beside the design itself."""

import random

from amaranth.back import rtlil, verilog
from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from systolith_hw.array import SystolicArray
from systolith_sim.netlist import synthesize
from systolith_sim.ports import device_ports

NOISE_BITS = 256
SEEN_BITS = 64

MEMORIES = [
    (32, 512, 8, False),
    (36, 256, 9, True),
    (18, 1024, None, False),
    (9, 2048, None, True),
    (4, 2048, None, False),
    (1, 4096, None, False),
]
"""Width, depth, granularity, and whether a read sees what is written in the same cycle."""

MULTIPLIERS = [(8, 8), (9, 9), (18, 18), (16, 11), (24, 12)]


class Mixture(wiring.Component):
    """Memories, multipliers, carry chains and registers; ``seen`` depends on what each of them does.

    Parameters
    ----------
    array : type
        Makes the systolic array.
    multipliers : list of (int, int)
        Widths of further factors.
    """

    def __init__(self, array, multipliers):
        self._array = array
        self._multipliers = multipliers
        super().__init__({"noise": In(NOISE_BITS), "seen": Out(SEEN_BITS)})

    def elaborate(self, platform):
        m = Module()
        rng = random.Random(0)
        seen = [self._add_array(m), *self._add_multipliers(m)]
        for number, (width, depth, granularity, transparent) in enumerate(MEMORIES):
            init = [rng.getrandbits(width) for _ in range(depth)]
            words = memory.Memory(shape=width, depth=depth, init=init)
            m.submodules[f"memory_{number}"] = words
            write = words.write_port(granularity=granularity)
            read = words.read_port(transparent_for=(write,) if transparent else ())
            address = self._address(rng, depth)
            # What is read of a word that is written is undefined, unless the port is transparent.
            meets = 0 if transparent else address == write.addr
            m.d.comb += [
                write.addr.eq(self._address(rng, depth)),
                write.data.eq(self._some(rng, width)),
                write.en.eq(self._some(rng, len(write.en)) & self._some(rng, len(write.en))),
                read.addr.eq(address ^ meets),
                read.en.eq(self._some(rng, 2).any()),
            ]
            seen.append(read.data)
        m.submodules.scratch = words = memory.Memory(
            shape=12, depth=16, init=[rng.getrandbits(12) for _ in range(16)]
        )
        write = words.write_port()
        m.d.comb += [
            write.addr.eq(self._some(rng, 4)),
            write.data.eq(self._some(rng, 12)),
            write.en.eq(self._some(rng, 1)),
        ]
        read = words.read_port(domain="comb")
        m.d.comb += read.addr.eq(self._some(rng, 4))
        seen.append(read.data)

        held = Signal(8)
        with m.If(~self.noise[77]):
            m.d.sync += held.eq(self.noise[60:])
        seen.append(held)

        state = Signal(SEEN_BITS, init=0x0123_4567_89AB_CDEF)
        folded = 0
        for index, value in enumerate(seen):
            folded ^= value << (3 * index % 29)
        m.d.sync += state.eq(Mux(self.noise[-1], state.rotate_left(1) ^ folded, state - folded))
        m.d.comb += self.seen.eq(state)
        return m

    def _some(self, rng, width):
        """That many of the random bits."""
        start = rng.randrange(NOISE_BITS - width)
        return self.noise[start : start + width]

    def _address(self, rng, depth):
        """Often the same few, so that ports meet, or nearly."""
        bits = (depth - 1).bit_length()
        return Mux(self._some(rng, 2).any(), self._some(rng, 2), self._some(rng, bits))

    def _add_multipliers(self, m):
        for a_bits, b_bits in self._multipliers:
            for shape in (signed, unsigned):
                a, b = Signal(shape(a_bits)), Signal(shape(b_bits))
                m.d.comb += [a.eq(self.noise[7:]), b.eq(self.noise[90 - a_bits :])]
                yield (a * b).as_unsigned()

    def _add_array(self, m):
        m.submodules.array = array = self._array(rows=2, columns=2, operand_bits=8, psum_bits=17)
        m.d.comb += [
            array.a.as_value().eq(self.noise[100:]),
            array.swap.eq(self.noise[150]),
            array.load.as_value().eq(self.noise[160:]),
        ]
        return Cat(array.psum[0], array.psum[1])


BENCH = """
  reg [255:0] noise = 256'h1;
  integer i;
  wire [63:0] wanted, seen;
  reference reference (.clk(clk), .rst(rst), .noise(noise), .seen(wanted));
  netlist netlist (.clk(clk), .rst(rst), .noise(noise), .seen(seen));
  always @(posedge clk) begin
    for (i = 0; i < 8; i = i + 1) noise[32*i +: 32] <= $urandom;
    if (!rst && seen != wanted) $fatal(1, "the netlist differs");
  end
"""


def bench(subject):
    """The Verilog of a device that stops with an error in the first cycle in which the two differ."""
    # In logic, where the tools know no multipliers, wide ones would take minutes.
    multipliers = [] if subject.board.flow == "ice40" else MULTIPLIERS
    mixture = Mixture(subject.board.vendor.lowering.array, multipliers)
    design = rtlil.convert(mixture, name="netlist", emit_src=False)
    netlist = synthesize(design, board=subject.board, top="netlist")
    reference = verilog.convert(Mixture(SystolicArray, multipliers), name="reference", emit_src=False)
    return device(BENCH) + reference + subject.family.models() + netlist


def device(body):
    """A device that does nothing but what the body does."""
    ports = device_ports(32)
    declared = [f"{direction} [{width - 1}:0] {name}" for name, (direction, width) in ports.items()]
    idle = [f"assign {name} = 0;" for name, (direction, _) in ports.items() if direction == "output"]
    return f"module systolith({', '.join(declared)});\n{' '.join(idle)}\n{body}\nendmodule\n"
