"""The control and status registers behind AXI4-Lite."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .axi import Response, axi_lite_subordinate_ports
from .descriptor import RECORD_BYTES, SLOT_BYTES
from .registers import ADDRESS_SPACE_BITS, REGISTERS, RING_COUNT_BITS, Control, Interrupt, Status, identity

__all__ = ["ControlStatusRegisters"]


class ControlStatusRegisters(wiring.Component):
    """The register block.

    A write is answered one cycle after address and data are both there; a read likewise. An access to an
    address without register, and a write to a read-only register, answers SLVERR.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    s_axil_*
        AXI4-Lite.
    irq : 1
        An enabled interrupt is pending.
    enable : 1
    ring_base, ring_size, ring_tail
        As written, ``ring_base`` but for the bits that no address of a ring has.
    ring_head : unsigned(RING_COUNT_BITS)
        Descriptors completed.
    completion_interrupt : 1
        A descriptor with ``interrupt`` set has completed.
    record_fault : 1
        A completion record could not be written, at ``record_fault_address``.
    activity : unsigned(16)
    """

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                **axi_lite_subordinate_ports(prefix="s_axil_", address_bits=ADDRESS_SPACE_BITS),
                "irq": Out(1),
                "enable": Out(1),
                "ring_base": Out(32),
                "ring_size": Out(4),
                "ring_tail": Out(RING_COUNT_BITS),
                "ring_head": In(RING_COUNT_BITS),
                "completion_interrupt": In(1),
                "record_fault": In(1),
                "record_fault_address": In(32),
                "activity": In(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        fault = Signal()
        fault_address = Signal(32)
        irq_enable = Signal(len(Interrupt))
        irq_pending = Signal(len(Interrupt))
        cycles = Signal(32)
        busy = Signal()
        m.d.comb += [
            busy.eq(self.ring_head != self.ring_tail),
            self.irq.eq((irq_enable & irq_pending).any()),
        ]
        m.d.sync += cycles.eq(cycles + 1)

        writable = {
            "control": self.enable,
            "ring_base": self.ring_base,
            "ring_size": self.ring_size,
            "ring_tail": self.ring_tail,
            "irq_enable": irq_enable,
        }
        readable = {
            **identity(self._config),
            **writable,
            "status": Cat(busy, fault),
            "irq_pending": irq_pending,
            "ring_head": self.ring_head,
            "fault_address": fault_address,
            "cycles": cycles,
            "activity": self.activity,
        }
        assert readable.keys() == REGISTERS.keys()
        assert Control.ENABLE == 1 and Status.BUSY == 1 and Status.FAULT == 2

        # Reads.
        read = Signal()
        m.d.comb += [
            self.s_axil_arready.eq(~self.s_axil_rvalid | self.s_axil_rready),
            read.eq(self.s_axil_arvalid & self.s_axil_arready),
        ]
        with m.If(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(read):
            m.d.sync += [
                self.s_axil_rvalid.eq(1),
                self.s_axil_rdata.eq(0),
                self.s_axil_rresp.eq(Response.SLVERR),
            ]
            with m.Switch(self.s_axil_araddr[2:]):
                for name, value in readable.items():
                    with m.Case(REGISTERS[name].offset >> 2):
                        m.d.sync += [
                            self.s_axil_rdata.eq(value),
                            self.s_axil_rresp.eq(Response.OKAY),
                        ]

        # Writes. What is never set takes no logic.
        kept = {"ring_base": (1 << self._config.address_bits) - SLOT_BYTES}
        record_log2 = exact_log2(RECORD_BYTES)
        write = Signal()
        mask = Signal(32)
        data = self.s_axil_wdata
        m.d.comb += [
            write.eq(self.s_axil_awvalid & self.s_axil_wvalid & (~self.s_axil_bvalid | self.s_axil_bready)),
            self.s_axil_awready.eq(write),
            self.s_axil_wready.eq(write),
            mask.eq(Cat(strobe.replicate(8) for strobe in self.s_axil_wstrb)),
        ]
        with m.If(self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(write):
            m.d.sync += [self.s_axil_bvalid.eq(1), self.s_axil_bresp.eq(Response.SLVERR)]
            with m.Switch(self.s_axil_awaddr[2:]):
                for name, register in writable.items():
                    with m.Case(REGISTERS[name].offset >> 2):
                        m.d.sync += [
                            register.eq(((register & ~mask) | (data & mask)) & kept.get(name, 0xFFFFFFFF)),
                            self.s_axil_bresp.eq(Response.OKAY),
                        ]
                with m.Case(REGISTERS["status"].offset >> 2):
                    m.d.sync += self.s_axil_bresp.eq(Response.OKAY)
                    with m.If((data & mask & Status.FAULT).any()):
                        m.d.sync += fault.eq(0)
                with m.Case(REGISTERS["irq_pending"].offset >> 2):
                    m.d.sync += [
                        irq_pending.eq(irq_pending & ~(data & mask)),
                        self.s_axil_bresp.eq(Response.OKAY),
                    ]

        # Events, which win over a write that clears them.
        with m.If(self.completion_interrupt):
            m.d.sync += irq_pending[0].eq(1)
        with m.If(self.record_fault):
            m.d.sync += [
                irq_pending[1].eq(1),
                fault.eq(1),
                fault_address[record_log2:].eq(self.record_fault_address[record_log2:]),
            ]
        return m
