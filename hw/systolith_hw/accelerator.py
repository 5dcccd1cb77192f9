"""The accelerator: everything between its two bus interfaces."""

import dataclasses

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect

from .a_loader import ALoader
from .accumulators import Accumulators
from .array import SystolicArray
from .axi import (
    BURST_INCR,
    CACHE_MODIFIABLE_BUFFERABLE,
    Response,
    axi4_manager_ports,
    axi_lite_subordinate_ports,
)
from .b_loader import BLoader
from .completion import Completion
from .config import ADDRESS_BITS, OPERAND_BITS
from .counters import CycleCounters
from .csr import ControlStatusRegisters
from .descriptor_fetch import DescriptorFetch
from .epilogue import Epilogue
from .job_queues import JobQueues
from .messages import Target
from .operand_buffer import OperandBuffer
from .pass_sequencer import PassSequencer
from .queue import Queue
from .read_dma import ReadDma
from .registers import ADDRESS_SPACE_BITS
from .requantize import RequantizerLanes
from .row_feeder import RowFeeder
from .row_packer import RowPacker
from .serial_epilogue import SerialEpilogue
from .store_sequencer import StoreSequencer
from .stream_slice import StreamSlice
from .weight_feeder import WeightFeeder
from .write_dma import WriteDma

__all__ = ["STOCK", "Accelerator", "Lowering"]

WRITE_QUEUE_DEPTH = 16
"""Rows announced to the write DMA ahead of their data."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lowering:
    """What makes the components that a simulator may want in another form.

    Another form has the same constructor, the same ports and the same behaviour in every cycle.
    """

    array: type = SystolicArray
    accumulators: type = Accumulators
    lanes: type = RequantizerLanes


STOCK = Lowering()
"""The definition: grids of Amaranth components."""


class Accelerator(wiring.Component):
    """A systolic GEMM accelerator with an AXI4-Lite subordinate and an AXI4 manager.

    ::

        s_axil ─ registers ─ descriptor fetch ─┬──────────┬─────────────┬──────────────┬───────────┐
                                               │          │             │              │           │
                   ┌─ A loader ◄───────────────┘  B loader┘   pass      │    weight    │   store   │
        m_axi      │     ┌────────────────────────────┘     sequencer ◄─┘    feeder ◄──┘ sequencer ◄┘
         AR ─ read DMA ◄─┘                                   │   ▲            │ ▲          │
         R  ─    └──────► A buffer ── row feeder ◄───────────┘   └── ready ───┘ │          │
                 └──────► B buffer ─────────│───────────────────────────────────┘          │
                                            ▼                                              │
                                          array ──► accumulators ──► epilogue ◄────────────┘
         AW, W ─ write DMA ◄─ row packer ◄──────────────────────────────┘
         B  ─        └──► completion ◄── cycle counters

    Parameters
    ----------
    config : ArrayConfig
    lowering : Lowering

    Members
    -------
    s_axil_*
        AXI4-Lite registers, see :mod:`.registers`.
    m_axi_*
        AXI4 to the memory that holds descriptors, operands and results.
    irq : 1
        An enabled interrupt is pending.
    """

    def __init__(self, config, *, lowering=STOCK):
        self.config = config
        self._lowering = lowering
        super().__init__(
            {
                **axi_lite_subordinate_ports(prefix="s_axil_", address_bits=ADDRESS_SPACE_BITS),
                **axi4_manager_ports(
                    prefix="m_axi_", data_bits=config.axi_data_bits, address_bits=ADDRESS_BITS
                ),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self.config
        array = self._lowering.array(
            rows=config.rows,
            columns=config.columns,
            operand_bits=OPERAND_BITS,
            psum_bits=config.psum_bits,
            tile_columns=config.tile_columns,
        )
        m.submodules.registers = self.registers = ControlStatusRegisters(config)
        m.submodules.fetch = self.fetch = DescriptorFetch(config)
        m.submodules.a_loader = self.a_loader = ALoader(config)
        m.submodules.b_loader = self.b_loader = BLoader(config)
        m.submodules.read_dma = self.read_dma = ReadDma(config)
        m.submodules.a_buffer = self.a_buffer = OperandBuffer(config, depth=config.a_buffer_lines)
        m.submodules.b_buffer = self.b_buffer = OperandBuffer(config, depth=config.b_buffer_lines)
        m.submodules.weight_feeder = self.weight_feeder = WeightFeeder(
            config, swap_to_load=array.swap_to_load, column_lead=array.column_lead
        )
        m.submodules.pass_sequencer = self.pass_sequencer = PassSequencer(config)
        m.submodules.row_feeder = self.row_feeder = RowFeeder(config)
        m.submodules.array = self.array = array
        m.submodules.accumulators = self.accumulators = self._lowering.accumulators(
            config, delay_cycles=RowFeeder.LATENCY + array.latency
        )
        m.submodules.store_sequencer = self.store_sequencer = StoreSequencer(config)
        if config.lane_cycles == 1:
            m.submodules.epilogue = self.epilogue = Epilogue(config, lanes=self._lowering.lanes)
        else:
            m.submodules.epilogue = self.epilogue = SerialEpilogue(config)
        m.submodules.row_packer = self.row_packer = RowPacker(config)
        m.submodules.write_dma = self.write_dma = WriteDma(config)
        m.submodules.completion = self.completion = Completion(config)
        m.submodules.counters = self.counters = CycleCounters(config)

        self._connect_registers(m)
        self._connect_descriptors(m)
        self._connect_loads(m)
        self._connect_compute(m)
        self._connect_stores(m)
        self._connect_completion(m)
        return m

    def _connect_registers(self, m):
        registers, fetch = self.registers, self.fetch
        for name, member in self.signature.members.items():
            if name.startswith("s_axil_") or name == "irq":
                ours, theirs = getattr(self, name), getattr(registers, name)
                m.d.comb += ours.eq(theirs) if member.flow is Out else theirs.eq(ours)
        head = Signal.like(registers.ring_head)
        m.d.sync += head.eq(head + self.write_dma.recorded)
        m.d.comb += [
            fetch.enable.eq(registers.enable),
            fetch.ring_base.eq(registers.ring_base),
            fetch.ring_size.eq(registers.ring_size),
            fetch.ring_tail.eq(registers.ring_tail),
            registers.ring_head.eq(head),
            registers.completion_interrupt.eq(self.write_dma.recorded & self.write_dma.recorded_interrupt),
            registers.record_fault.eq(self.write_dma.record_fault),
            registers.record_fault_address.eq(self.write_dma.fault_address),
            registers.activity[:8].eq(
                Cat(
                    fetch.busy,
                    self.a_loader.busy,
                    self.b_loader.busy,
                    self.weight_feeder.busy,
                    self.pass_sequencer.busy,
                    self.store_sequencer.busy,
                    self.read_dma.busy,
                    self.write_dma.busy,
                )
            ),
            registers.activity[8:].eq(fetch.in_flight_count),
        ]

    def _connect_descriptors(self, m):
        fetch = self.fetch
        names = ("a_loader", "b_loader", "weight_feeder", "pass_sequencer", "store_sequencer")
        units = {name: getattr(self, name) for name in names}
        m.submodules.jobs = jobs = JobQueues(
            self.config, {name: unit.job_layout(self.config) for name, unit in units.items()}
        )
        m.d.comb += [
            jobs.dispatch.eq(fetch.dispatch),
            jobs.descriptor.eq(fetch.descriptor),
            jobs.slot.eq(fetch.in_flight.payload.slot),
        ]
        for name, unit in units.items():
            connect(m, getattr(jobs, name), unit.jobs)

    def _connect_loads(self, m):
        dma, fetch = self.read_dma, self.fetch
        connect(m, fetch.requests, dma.descriptor_requests)
        connect(m, self.a_loader.requests, dma.a_requests)
        connect(m, self.b_loader.requests, dma.b_requests)
        m.d.comb += [
            *(
                getattr(dma, f"{source}_{name}").eq(getattr(loader, name))
                for source, loader in (("a", self.a_loader), ("b", self.b_loader))
                for name in ("order", "staged_order", "begin")
            ),
            fetch.beat_valid.eq(dma.valid[Target.DESCRIPTOR]),
            fetch.beat.eq(dma.data.data),
            fetch.beat_fault.eq(dma.fault),
        ]
        pairs = (
            (self.a_loader, self.a_buffer, Target.A_BUFFER),
            (self.b_loader, self.b_buffer, Target.B_BUFFER),
        )
        for loader, buffer, target in pairs:
            m.d.comb += [
                loader.free.eq(buffer.free),
                buffer.reserve.eq(loader.reserve),
                buffer.write_valid.eq(dma.valid[target]),
                buffer.write.eq(dma.data),
            ]
        m.d.comb += [
            *self._address_channel("ar", dma.bursts),
            dma.beats.valid.eq(self.m_axi_rvalid),
            dma.beats.payload.data.eq(self.m_axi_rdata),
            dma.beats.payload.error.eq(self.m_axi_rresp >= Response.SLVERR),
            self.m_axi_rready.eq(dma.beats.ready),
        ]

    def _connect_compute(self, m):
        passes, weights, rows = self.pass_sequencer, self.weight_feeder, self.row_feeder
        for consumer, buffer in ((passes, self.a_buffer), (weights, self.b_buffer)):
            m.d.comb += [
                consumer.has_row.eq(buffer.has_row),
                buffer.take.eq(consumer.take),
                buffer.release.eq(consumer.release),
                buffer.read_address.eq(consumer.read_address),
            ]
        m.d.comb += [
            weights.rows_ready.eq(self.b_buffer.rows_ready),
            weights.read_data.eq(self.b_buffer.read_data),
            rows.read_data.eq(self.a_buffer.read_data),
            passes.weights_ready.eq(weights.ready),
            passes.weight_tile.eq(weights.tile),
            weights.swap.eq(passes.swap),
            rows.swap.eq(passes.swap),
            rows.k_part.eq(passes.k_part),
            rows.k_depth.eq(passes.k_depth),
            self.array.a.eq(rows.a),
            self.array.swap.eq(rows.swap_out),
            self.array.load.eq(weights.load),
            self.accumulators.access.eq(passes.access),
            self.accumulators.psum.eq(self.array.psum),
        ]

    def _connect_stores(self, m):
        store, epilogue, dma = self.store_sequencer, self.epilogue, self.write_dma
        m.submodules.row_writes = row_writes = Queue(dma.rows.payload.shape(), depth=WRITE_QUEUE_DEPTH)
        connect(m, store.writes, row_writes.i)
        connect(m, row_writes.o, dma.rows)
        m.submodules.stored_rows = stored_rows = StreamSlice(store.rows.payload.shape())
        connect(m, store.rows, stored_rows.i)
        connect(m, stored_rows.o, epilogue.rows)
        connect(m, epilogue.groups, self.row_packer.groups)
        connect(m, self.row_packer.beats, dma.row_beats)
        m.d.comb += [
            store.tile.eq(self.pass_sequencer.result_tile),
            store.tile_end.eq(self.pass_sequencer.access.tile_end),
            store.tile_half.eq(self.pass_sequencer.access.half),
            store.tile_done.eq(self.accumulators.tile_done),
            self.accumulators.read_enable.eq(epilogue.rows.valid & epilogue.rows.ready),
            self.accumulators.read_half.eq(epilogue.rows.payload.half),
            self.accumulators.read_row.eq(epilogue.rows.payload.accumulator_row),
            epilogue.accumulators.eq(self.accumulators.read_data),
            epilogue.parameters.eq(self.weight_feeder.parameters),
            self.pass_sequencer.tile_release.eq(epilogue.tile_release),
            self.weight_feeder.tile_release.eq(epilogue.tile_release),
            *self._address_channel("aw", dma.bursts),
            self.m_axi_wdata.eq(dma.beats.payload.data),
            self.m_axi_wstrb.eq(dma.beats.payload.strobe),
            self.m_axi_wlast.eq(dma.beats.payload.last),
            self.m_axi_wvalid.eq(dma.beats.valid),
            dma.beats.ready.eq(self.m_axi_wready),
            dma.responses.valid.eq(self.m_axi_bvalid),
            dma.responses.payload.error.eq(self.m_axi_bresp >= Response.SLVERR),
            self.m_axi_bready.eq(dma.responses.ready),
        ]

    def _connect_completion(self, m):
        completion, counters = self.completion, self.counters
        connect(m, self.fetch.in_flight, completion.in_flight)
        connect(m, counters.results, completion.counters)
        connect(m, completion.records, self.write_dma.records)
        connect(m, completion.record_beats, self.write_dma.record_beats)
        for kind, dma in (("read", self.read_dma), ("write", self.write_dma)):
            for suffix in ("", "_slot", "_address"):
                target = getattr(completion, f"{kind}_fault{suffix}")
                m.d.comb += target.eq(getattr(dma, f"fault{suffix}"))
        m.d.comb += [
            completion.stored.eq(self.write_dma.stored),
            self.fetch.slot_release.eq(completion.slot_release),
            counters.busy.eq(self.fetch.submitted | (self.fetch.in_flight_count != completion.ended)),
            counters.activity.eq(self.pass_sequencer.activity),
            counters.begin.eq(self.pass_sequencer.begin),
            counters.close.eq(completion.close),
        ]

    def _address_channel(self, channel, bursts):
        """Drive AR or AW from a stream of bursts."""

        def port(name):
            return getattr(self, f"m_axi_{channel}{name}")

        return [
            port("id").eq(0),
            port("addr").eq(bursts.payload.address),
            port("len").eq(bursts.payload.beats - 1),
            port("size").eq((self.config.bus_bytes - 1).bit_length()),
            port("burst").eq(BURST_INCR),
            port("cache").eq(CACHE_MODIFIABLE_BUFFERABLE),
            port("prot").eq(0),
            port("valid").eq(bursts.valid),
            bursts.ready.eq(port("ready")),
        ]
