"""A small DMA engine with the accelerator's ports: what the harness is tested with."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out
from systolith_sim.ports import device_ports

REGISTERS = {
    "source": 0x00,
    "destination": 0x04,
    "beats": 0x08,
    "burst": 0x0C,
    "control": 0x10,
    "status": 0x14,
    "fault": 0x18,
    "echo": 0x1C,
    "activity": 0x48,
}
STAMPS = ("ar_first", "ar_last", "r_first", "r_last", "aw_first", "w_first", "w_last", "b_first", "b_last")
STAMP_BASE = 0x20

FAULTS = {
    "": 0,
    "burst-type": 1,
    "burst-size": 2,
    "alignment": 3,
    "burst-4k": 4,
    "wlast": 5,
    "stable-payload": 6,
    "stable-valid": 7,
    "reset": 8,
    "axil-response": 9,
    "hang": 10,
    "register-error": 11,
    "stable-data": 12,
    "registers-silent": 13,
}
"""What the copier can be told to do wrong, by the harness's name of the rule."""


def start_copy(simulator, *, source, destination, beats, burst):
    """Program a copier and start it; the cycle that it numbers 0."""
    values = {"source": source, "destination": destination, "beats": beats, "burst": burst}
    for name, value in values.items():
        simulator.write_register(REGISTERS[name], value)
    start = simulator.cycles
    simulator.write_register(REGISTERS["control"], 1)
    return start


def read_stamps(simulator):
    """The cycle of each event, counted as the copier does."""
    return {name: simulator.read_register(STAMP_BASE + 4 * index) for index, name in enumerate(STAMPS)}


def finish_copy(simulator):
    """Read the copier's status and take back its interrupt."""
    status = simulator.read_register(REGISTERS["status"])
    simulator.write_register(REGISTERS["status"], 0)
    return status


DONE, READ_ERROR, WRITE_ERROR = 1, 2, 4


class Copier(wiring.Component):
    """Copies ``beats`` beats from ``source`` to ``destination`` in bursts of at most ``burst`` beats.

    Bursts are issued as fast as they are accepted, whatever is outstanding, and end at multiples of their
    size. Writing ``control`` starts the copy; when it ends, ``irq`` rises until ``status`` is written.
    ``status`` holds done, a read error and a write error. The registers from ``STAMP_BASE`` hold the
    cycle, counted from the start, of each event in ``STAMPS``.
    """

    def __init__(self, data_bits):
        self.data_bits = data_bits
        super().__init__(
            {
                name: In(width) if direction == "input" else Out(width)
                for name, (direction, width) in device_ports(data_bits).items()
                if name not in ("clk", "rst")
            }
        )

    def elaborate(self, platform):
        m = Module()
        bus_bytes = self.data_bits // 8
        now = Signal(32)
        running = Signal()
        done = Signal()
        read_error = Signal()
        write_error = Signal()
        irq = Signal()
        source, destination, beats, burst, echo = (
            Signal(32, name=name) for name in ("source", "destination", "beats", "burst", "echo")
        )
        fault = Signal(4, reset_less=True)
        stamps = {name: Signal(32, name=name) for name in STAMPS}
        m.d.sync += now.eq(now + 1)
        m.d.comb += self.irq.eq(irq)

        def wrong(name):
            return fault == FAULTS[name]

        def stamp(name, event):
            if name.endswith("first"):
                event = event & ~stamps[name].any()
            with m.If(event):
                m.d.sync += stamps[name].eq(now)

        start = Signal()
        store = m.submodules.store = fifo.SyncFIFOBuffered(width=self.data_bits, depth=64)

        def addresses(prefix, base):
            """An address channel; what it returns counts the beats whose address was accepted."""
            valid, ready, address, length = (
                getattr(self, f"m_axi_{prefix}{field}") for field in ("valid", "ready", "addr", "len")
            )
            left = Signal(32, name=f"{prefix}_left")
            at = Signal(32, name=f"{prefix}_at")
            bytes_per_burst = Signal(16, name=f"{prefix}_bytes")
            to_boundary = Signal(16, name=f"{prefix}_to_boundary")
            count = Signal(9, name=f"{prefix}_count")
            m.d.comb += [
                bytes_per_burst.eq(burst * bus_bytes),
                to_boundary.eq((bytes_per_burst - (at & (bytes_per_burst - 1))) // bus_bytes),
                count.eq(Mux(left < to_boundary, left, to_boundary)),
                valid.eq((left != 0) & ~wrong("hang") & ~(wrong("stable-valid") & now[0])),
                address.eq(at | wrong("alignment") | (wrong("stable-payload") & now[0]) << 6),
                length.eq(Mux(wrong("burst-4k"), 255, count - 1)),
                getattr(self, f"m_axi_{prefix}size").eq((bus_bytes - 1).bit_length() ^ wrong("burst-size")),
                getattr(self, f"m_axi_{prefix}burst").eq(Mux(wrong("burst-type"), 2, 1)),
            ]
            with m.If(start):
                m.d.sync += [left.eq(beats), at.eq(base)]
            with m.Elif(valid & ready):
                m.d.sync += [left.eq(left - count), at.eq(at + count * bus_bytes)]
            stamp(f"{prefix}_first", valid & ready)
            return left

        addresses("ar", source)
        with m.If(wrong("reset")):
            m.d.comb += self.m_axi_arvalid.eq(1)
        addresses("aw", destination)
        stamp("ar_last", self.m_axi_arvalid & self.m_axi_arready)

        m.d.comb += [
            store.w_data.eq(self.m_axi_rdata),
            store.w_en.eq(self.m_axi_rvalid),
            self.m_axi_rready.eq(store.w_rdy),
        ]
        read = Signal()
        m.d.comb += read.eq(self.m_axi_rvalid & self.m_axi_rready)
        stamp("r_first", read)
        stamp("r_last", read)
        with m.If(read & self.m_axi_rresp.any()):
            m.d.sync += read_error.eq(1)

        w_left, w_at, w_to_boundary = Signal(32), Signal(32), Signal(16)
        write = Signal()
        last = Signal()
        m.d.comb += [
            w_to_boundary.eq(burst - ((w_at // bus_bytes) & (burst - 1))),
            last.eq((w_to_boundary == 1) | (w_left == 1)),
            self.m_axi_wdata.eq(store.r_data ^ (wrong("stable-data") & now[0])),
            self.m_axi_wstrb.eq(Const(-1, bus_bytes)),
            self.m_axi_wvalid.eq(store.r_rdy & (w_left != 0)),
            self.m_axi_wlast.eq(last ^ wrong("wlast")),
            write.eq(self.m_axi_wvalid & self.m_axi_wready),
            store.r_en.eq(write),
        ]
        with m.If(start):
            m.d.sync += [w_left.eq(beats), w_at.eq(destination)]
        with m.Elif(write):
            m.d.sync += [w_left.eq(w_left - 1), w_at.eq(w_at + bus_bytes)]
        stamp("w_first", write)
        stamp("w_last", write)

        response = Signal()
        bursts_out = Signal(32)
        m.d.comb += [
            self.m_axi_bready.eq(1),
            response.eq(self.m_axi_bvalid & self.m_axi_bready),
        ]
        m.d.sync += bursts_out.eq(bursts_out + (write & last) - response)
        stamp("b_first", response)
        stamp("b_last", response)
        with m.If(response & self.m_axi_bresp.any()):
            m.d.sync += write_error.eq(1)
        with m.If(running & (w_left == 0) & (bursts_out == 0)):
            m.d.sync += [running.eq(0), done.eq(1), irq.eq(1)]
        with m.If(start):
            m.d.sync += [running.eq(1), now.eq(1), *(value.eq(0) for value in stamps.values())]

        self._registers(
            m,
            writable={0: source, 1: destination, 2: beats, 3: burst, 6: fault, 7: echo},
            readable={
                0: source,
                5: Cat(done, read_error, write_error),
                7: echo,
                **{STAMP_BASE // 4 + index: stamps[name] for index, name in enumerate(STAMPS)},
                0x48 // 4: running | bursts_out << 8,
            },
            start=start,
            acknowledge=[done.eq(0), read_error.eq(0), write_error.eq(0), irq.eq(0)],
            wrong=wrong,
        )
        return m

    def _registers(self, m, *, writable, readable, start, acknowledge, wrong):
        m.d.comb += [
            self.s_axil_awready.eq(self.s_axil_awvalid & self.s_axil_wvalid & ~self.s_axil_bvalid),
            self.s_axil_wready.eq(self.s_axil_awready),
            self.s_axil_arready.eq(self.s_axil_arvalid & ~self.s_axil_rvalid & ~wrong("registers-silent")),
            self.s_axil_bresp.eq(Mux(wrong("register-error"), 2, 0)),
            self.s_axil_rresp.eq(Mux(wrong("register-error"), 2, 0)),
        ]
        with m.If(self.s_axil_awready):
            m.d.sync += self.s_axil_bvalid.eq(1)
            with m.Switch(self.s_axil_awaddr[2:]):
                for index, signal in writable.items():
                    with m.Case(index):
                        m.d.sync += signal.eq(self.s_axil_wdata)
                with m.Case(REGISTERS["control"] // 4):
                    m.d.comb += start.eq(1)
                with m.Case(REGISTERS["status"] // 4):
                    m.d.sync += acknowledge
        with m.Elif(self.s_axil_bready | wrong("axil-response")):
            m.d.sync += self.s_axil_bvalid.eq(wrong("axil-response"))
        with m.If(self.s_axil_arready):
            m.d.sync += self.s_axil_rvalid.eq(1)
            values = Array(readable.get(index, Const(0)) for index in range(32))
            m.d.sync += self.s_axil_rdata.eq(values[self.s_axil_araddr[2:7]])
        with m.Elif(self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
