"""A matrix engine that fits an iCE40 without DSPs: the array between serial pins and block RAM."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from systolith_hw.array import SystolicArray
from systolith_hw.baud import bit_period
from systolith_hw.board.uart import UartReceiver, UartTransmitter

SIZE = 2
"""Rows and columns."""

ROWS_OF_A = 16
PSUM_BITS = 17
WORD_BYTES = 4

REQUEST_BYTES = SIZE * (SIZE + ROWS_OF_A)
"""B by rows, then A by rows."""


class MatrixEngine(wiring.Component):
    """Multiplies the A and B that it receives, and answers with the product: int32 by rows, over and over.

    Parameters
    ----------
    clock_hz, baud : int

    Members
    -------
    rx, tx : 1
    """

    def __init__(self, *, clock_hz, baud):
        self._period = bit_period(clock_hz, baud)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(period=self._period)
        m.submodules.transmitter = transmitter = UartTransmitter(period=self._period)
        m.submodules.array = array = SystolicArray(
            rows=SIZE, columns=SIZE, operand_bits=8, psum_bits=PSUM_BITS
        )
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)]

        rows = SIZE + ROWS_OF_A
        m.submodules.operands = operands = memory.Memory(shape=8 * SIZE, depth=rows, init=[])
        write, read = operands.write_port(granularity=8), operands.read_port()
        lane = Signal(range(SIZE))
        row = Signal(range(rows + 1))
        started = Signal(range(rows + 1))
        m.d.comb += [
            write.addr.eq(row),
            write.data.eq(receiver.bytes.payload.replicate(SIZE)),
            write.en.eq(receiver.bytes.valid << lane),
            read.addr.eq(started),
        ]

        # The rows that were read a cycle ago: first the lines of the tile, then A.
        line, line_number = Signal(), Signal(range(rows))
        is_a = Signal()
        m.d.comb += [
            is_a.eq(line & (line_number >= SIZE)),
            array.load.valid.eq(line & ~is_a),
            array.load.index.eq(line_number),
            array.load.weights.as_value().eq(read.data),
            array.a.as_value().eq(read.data),
            array.swap.eq(is_a & (line_number == SIZE)),
        ]
        flight = Signal(array.latency + SIZE)
        m.d.sync += flight.eq(Cat(is_a, flight))
        arrived = [flight[array.latency - 1 + column] for column in range(SIZE)]

        sent_row, sent_byte = Signal(range(ROWS_OF_A)), Signal(range(SIZE * WORD_BYTES))
        words = []
        for column in range(SIZE):
            results = memory.Memory(shape=PSUM_BITS, depth=ROWS_OF_A, init=[])
            m.submodules[f"results_{column}"] = results
            store, load = results.write_port(), results.read_port()
            m.d.comb += [
                store.data.eq(array.psum[column]),
                store.en.eq(arrived[column]),
                load.addr.eq(sent_row),
            ]
            stored = Signal(range(ROWS_OF_A))
            m.d.comb += store.addr.eq(stored)
            with m.If(arrived[column]):
                m.d.sync += stored.eq(stored + 1)
            words.append(Cat(load.data, load.data[-1].replicate(8 * WORD_BYTES - PSUM_BITS)))
        m.d.comb += transmitter.bytes.payload.eq(Cat(words).word_select(sent_byte, 8))

        m.d.sync += line.eq(0)
        with m.FSM():
            with m.State("RECEIVE"):
                with m.If(receiver.bytes.valid):
                    m.d.sync += lane.eq(lane + 1)
                    with m.If(lane == SIZE - 1):
                        m.d.sync += row.eq(row + 1)
                with m.If(row == rows):
                    m.d.sync += [row.eq(0), started.eq(0)]
                    m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                with m.If(started != rows):
                    m.d.sync += [line.eq(1), line_number.eq(started), started.eq(started + 1)]
                with m.Elif(~(line | flight.any())):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += transmitter.bytes.valid.eq(1)
                with m.If(transmitter.bytes.ready):
                    m.d.sync += sent_byte.eq(sent_byte + 1)
                    with m.If(sent_byte == SIZE * WORD_BYTES - 1):
                        m.d.sync += sent_row.eq(sent_row + 1)
                        m.next = "FETCH"
                        with m.If(sent_row == ROWS_OF_A - 1):
                            m.next = "RECEIVE"
        return m
