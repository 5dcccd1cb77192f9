"""The accumulator memory: two halves of rows, one bank for the columns of a tile of the array."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from .config import ACCUMULATOR_BITS
from .messages import AccumulatorAccess

__all__ = ["AccumulatorBank", "Accumulators"]


class AccumulatorBank(wiring.Component):
    """The accumulators of the columns whose sums come together.

    Parameters
    ----------
    config : ArrayConfig

    Members
    -------
    access : AccumulatorAccess
        ``READ_CYCLES`` before its ``psum``. Two accesses of one row are ``HAZARD_CYCLES`` apart or more.
    psum : ArrayLayout(signed(32), tile_columns)
    read_enable, read_half, read_row
        Read a row of the half that is not being written.
    read_data : ArrayLayout(signed(32), tile_columns)
        What was read last, from the next cycle on.

    Latency
    -------
    ``HAZARD_CYCLES`` from an access until its sum can be read.
    """

    READ_CYCLES = 2
    HAZARD_CYCLES = READ_CYCLES + 2

    def __init__(self, config):
        self._config = config
        self._sums = data.ArrayLayout(signed(ACCUMULATOR_BITS), config.tile_columns)
        super().__init__(
            {
                "access": In(AccumulatorAccess(config)),
                "psum": In(self._sums),
                "read_enable": In(1),
                "read_half": In(1),
                "read_row": In(range(config.accumulator_rows)),
                "read_data": Out(self._sums),
            }
        )

    def elaborate(self, platform):
        m = Module()
        arrived = Signal.like(self.access)
        adding = Signal.like(self.access)
        writing = Signal.like(self.access)
        m.d.sync += [arrived.eq(self.access), adding.eq(arrived), writing.eq(adding)]

        # Both halves in one memory, which synthesis makes twice, for it is read at two places at once.
        m.submodules.rows = rows = memory.Memory(
            shape=self._sums, depth=2 * self._config.accumulator_rows, init=[]
        )
        accumulated, read, write = rows.read_port(), rows.read_port(), rows.write_port()
        m.d.comb += [
            read.addr.eq(Cat(self.read_row, self.read_half)),
            read.en.eq(self.read_enable),
            self.read_data.eq(read.data),
            write.addr.eq(Cat(writing.row, writing.half)),
            write.en.eq(writing.valid),
            write.data.eq(self._accumulate(m, accumulated, arrived, adding)),
        ]
        return m

    def _accumulate(self, m, accumulated, arrived, adding):
        """Read a row's sums and add what has come; for another form of it.

        Parameters
        ----------
        m : Module
            Of the bank.
        accumulated : ReadPort
        arrived, adding : AccumulatorAccess
            ``access`` one and two cycles ago.

        Returns
        -------
        Signal
            The sums of ``access`` three cycles ago.
        """
        before = Signal(self._sums)
        total = Signal(self._sums)
        m.d.comb += [
            accumulated.addr.eq(Cat(self.access.row, self.access.half)),
            accumulated.en.eq(self.access.valid),
        ]
        # The memory is slow: what it gives waits for its sum in a register.
        m.d.sync += before.eq(Mux(arrived.first, 0, accumulated.data))
        m.d.sync += (total[c].eq(before[c] + self.psum[c]) for c in range(self._config.tile_columns))
        return total


class Accumulators(wiring.Component):
    """The accumulators of all columns.

    Parameters
    ----------
    config : ArrayConfig
    delay_cycles : int
        From ``access`` to the sum of column 0 at ``psum``; at least ``AccumulatorBank.READ_CYCLES``.

    Members
    -------
    access : AccumulatorAccess
    psum : ArrayLayout(signed(32), columns)
        Column ``c`` comes ``c // tile_columns`` cycles later than column 0.
    tile_done : 1
        A tile whose ``access`` had ``tile_end`` can be read from the next cycle on.
    read_enable, read_half, read_row, read_data
        As in :class:`AccumulatorBank`, of all columns at once.
    """

    bank = AccumulatorBank
    """Makes a bank; for another form of it."""

    def __init__(self, config, *, delay_cycles):
        self._config = config
        self._delay_cycles = delay_cycles
        super().__init__(
            {
                "access": In(AccumulatorAccess(config)),
                "psum": In(data.ArrayLayout(signed(ACCUMULATOR_BITS), config.columns)),
                "tile_done": Out(1),
                "read_enable": In(1),
                "read_half": In(1),
                "read_row": In(range(config.accumulator_rows)),
                "read_data": Out(data.ArrayLayout(signed(ACCUMULATOR_BITS), config.columns)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        access = self._delay(m, self.access, self._delay_cycles - self.bank.READ_CYCLES, "access")
        width = self._config.tile_columns
        for tile in range(self._config.column_tiles):
            bank = self.bank(self._config)
            m.submodules[f"tile_{tile}"] = bank
            m.d.comb += [
                bank.access.eq(access),
                bank.read_enable.eq(self.read_enable),
                bank.read_half.eq(self.read_half),
                bank.read_row.eq(self.read_row),
            ]
            for column in range(width):
                m.d.comb += [
                    bank.psum[column].eq(self.psum[tile * width + column]),
                    self.read_data[tile * width + column].eq(bank.read_data[column]),
                ]
            access = self._delay(m, access, 1, f"access_tile_{tile}")
        access = self._delay(m, access, self.bank.HAZARD_CYCLES - 2, "access_write")
        m.d.comb += self.tile_done.eq(access.valid & access.tile_end)
        return m

    def _delay(self, m, access, cycles, name):
        for cycle in range(cycles):
            delayed = Signal.like(access, name=f"{name}_{cycle}")
            m.d.sync += delayed.eq(access)
            access = delayed
        return access
