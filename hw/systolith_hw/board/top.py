"""A whole board: the accelerator with memory on the chip and a serial link."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect
from amaranth.utils import bits_for

from systolith_hw.accelerator import STOCK, Accelerator
from systolith_hw.axi import Response, axi4_manager_ports, axi_lite_subordinate_ports
from systolith_hw.baud import BITS_PER_BYTE, FRACTION_BITS, bit_period
from systolith_hw.link import IDLE_BYTES, QUEUE_BYTES, RESET_CYCLES
from systolith_hw.registers import ADDRESS_SPACE_BITS
from systolith_hw.stream_slice import StreamSlice

from .arbiter import MemoryArbiter
from .board_registers import BoardRegisters
from .bridge import Bridge
from .bus_access import BusAccess
from .frame_queue import FrameQueue
from .frame_receiver import FrameReceiver
from .frame_transmitter import FrameTransmitter
from .slices import AccessSlice, BusSlice
from .uart import UartReceiver, UartTransmitter

__all__ = ["BoardTop"]


class BoardTop(wiring.Component):
    """The accelerator, its memory, and the link to the host.

    ::

        rx ─ receiver ─ frame receiver ─ frame queue ─ bridge ─┬─ registers of the board
        tx ─ transmitter ◄─ frame transmitter ◄────────┘       ├─ AXI4-Lite ─ accelerator ─ AXI4 ─┐
                                                               └───────────────────────────── memory

    Parameters
    ----------
    config : ArrayConfig
    memory : Component
        Device memory: an AXI4 subordinate with members ``s_axi_*``, and its size as ``memory_bytes``. Where
        it has no member ``access`` for the link, an arbiter lets both share its bus.
    clock_hz : int
        Of the domain ``sync``.
    baud : int
        Bits per second of the serial line, at most a quarter of the clock.
    queue_bytes : int
        Of requests that may be sent before the first is answered: a power of two.
    bus_registers : bool
        Whether there are registers on the way to the memory and round the host's accesses: for a fast clock.
    lowering : Lowering
        Of the accelerator.

    Members
    -------
    rx, tx : 1
        The serial line: 8N1, high when idle.
    leds : 2
        Bit 0 busy: the accelerator accesses memory. Bit 1 fault: an access was answered with an error since
        the last reset.

    Raises
    ------
    ValueError
        If the baud rate is out of range.
    """

    def __init__(
        self,
        config,
        *,
        memory,
        clock_hz,
        baud,
        queue_bytes=QUEUE_BYTES,
        bus_registers=True,
        lowering=STOCK,
    ):
        self._config = config
        self._period = bit_period(clock_hz, baud)
        self._facts = {
            "memory_bytes": memory.memory_bytes,
            "clock_hz": clock_hz,
            "baud": baud,
            "queue_bytes": queue_bytes,
        }
        self._bus_registers = bus_registers
        self._lowering = lowering
        self._memory = memory
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "leds": Out(2)})

    def elaborate(self, platform):
        m = Module()
        memory = self._memory
        data_bits = self._config.axi_data_bits
        # What lies just outside the memory is told from what lies inside.
        memory_address_bits = bits_for(memory.memory_bytes)
        bus = {"data_bits": data_bits, "address_bits": max(self._config.address_bits, memory_address_bits)}
        registers = BoardRegisters(**self._facts, reset_cycles=RESET_CYCLES)
        reset = Signal()
        m.d.sync += reset.eq(registers.reset)
        device_reset = ResetInserter(reset)
        accelerator = Accelerator(self._config, lowering=self._lowering)
        bridge = Bridge(data_bits=data_bits, address_bits=memory_address_bits)
        lite = axi_lite_subordinate_ports(prefix="m_axil_", address_bits=ADDRESS_SPACE_BITS)
        device_access = BusAccess(
            ports={name: member.flip() for name, member in lite.items()}, prefix="m_axil_", data_bits=32
        )
        m.submodules.registers = registers
        m.submodules.accelerator = device_reset(accelerator)
        m.submodules.memory = device_reset(memory)
        m.submodules.bridge = bridge
        m.submodules.device_access = device_access

        self._connect_line(m, bridge, registers)
        manager = accelerator
        if self._bus_registers:
            m.submodules.accelerator_bus = manager = device_reset(BusSlice(**bus))
            _connect_bus(m, accelerator, "m_axi_", manager, "s_axi_")
        if "access" in memory.signature.members:
            _connect_bus(m, manager, "m_axi_", memory, "s_axi_")
            memory_access = memory.access
        else:
            memory_access = self._share_memory(m, manager, bus, device_reset)
        for name, access in (
            ("memory", memory_access),
            ("device", device_access.access),
            ("board", registers.access),
        ):
            asked = getattr(bridge, name)
            if self._bus_registers:
                m.submodules[f"{name}_access_slice"] = part = AccessSlice(asked.signature)
                connect(m, asked, part.i)
                asked = part.o
            connect(m, asked, access)
        _connect_bus(m, device_access, "m_axil_", accelerator, "s_axil_")
        failed = [
            getattr(accelerator, f"m_axi_{channel}valid")
            & (getattr(accelerator, f"m_axi_{channel}resp") >= Response.SLVERR)
            for channel in ("r", "b")
        ]
        m.d.comb += [
            registers.part.eq(bridge.part),
            bridge.fact.eq(registers.fact),
            registers.interrupt.eq(accelerator.irq),
            registers.bus_error.eq(Cat(failed).any()),
        ]
        accesses = Cat(accelerator.m_axi_arvalid, accelerator.m_axi_awvalid, accelerator.m_axi_rvalid)
        m.d.sync += self.leds.eq(Cat(accesses.any(), registers.fault))
        return m

    def _share_memory(self, m, manager, bus, device_reset):
        """Let accelerator and link share a memory that has a bus and nothing else; the link's access."""
        narrow = bus | {"address_bits": bits_for(self._memory.memory_bytes)}
        ports = axi4_manager_ports(prefix="m_axi_", **narrow)
        m.submodules.arbiter = arbiter = device_reset(MemoryArbiter(**bus))
        m.submodules.memory_access = access = BusAccess(
            ports=ports, prefix="m_axi_", data_bits=bus["data_bits"]
        )
        _connect_bus(m, manager, "m_axi_", arbiter, "s0_axi_")
        _connect_bus(m, access, "m_axi_", arbiter, "s1_axi_")
        _connect_bus(m, arbiter, "m_axi_", self._memory, "s_axi_")
        return access.access

    def _connect_line(self, m, bridge, registers):
        """Both ways between the line and the bridge."""
        byte_cycles = BITS_PER_BYTE * self._period >> FRACTION_BITS
        m.submodules.uart_receiver = receiver = UartReceiver(period=self._period)
        m.submodules.frame_receiver = frames = FrameReceiver(idle_cycles=IDLE_BYTES * byte_cycles)
        m.submodules.frame_queue = queue = FrameQueue(depth=self._facts["queue_bytes"])
        m.submodules.frame_transmitter = responses = FrameTransmitter()
        m.submodules.uart_transmitter = transmitter = UartTransmitter(period=self._period)
        cycles = Signal(max(len(registers.cycles), len(frames.cycles)))
        m.d.sync += cycles.eq(cycles + 1)
        connect(m, receiver.bytes, frames.bytes)
        requests = queue.bytes
        if self._bus_registers:
            m.submodules.request_slice = request_slice = StreamSlice(8)
            connect(m, requests, request_slice.i)
            requests = request_slice.o
        connect(m, requests, bridge.requests)
        connect(m, bridge.response, responses.response)
        connect(m, responses.bytes, transmitter.bytes)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            frames.error.eq(receiver.error),
            *(part.cycles.eq(cycles) for part in (registers, frames)),
            queue.write.eq(frames.write),
            queue.data.eq(frames.data),
            queue.commit.eq(frames.commit),
            queue.rewind.eq(frames.rewind),
            frames.full.eq(queue.full),
            registers.dropped.eq(frames.dropped),
            self.tx.eq(transmitter.tx),
        ]


def _connect_bus(m, manager, manager_prefix, subordinate, subordinate_prefix):
    """Connect flat bus ports of the same names but their prefixes."""
    for name, member in manager.signature.members.items():
        if name.startswith(manager_prefix):
            ours = getattr(manager, name)
            theirs = getattr(subordinate, subordinate_prefix + name.removeprefix(manager_prefix))
            m.d.comb += theirs.eq(ours) if member.flow is Out else ours.eq(theirs)
