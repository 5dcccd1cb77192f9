"""Samples both buses at every clock edge and applies the rules."""

import cocotb
from cocotb.triggers import RisingEdge
from hw.cocotb_accelerator.rules import Bursts, Handshake

ADDRESS_FIELDS = ("addr", "len", "size", "burst", "id", "cache", "prot")
CHANNELS = {
    "m_axi_aw": ADDRESS_FIELDS,
    "m_axi_w": ("data", "strb", "last"),
    "m_axi_ar": ADDRESS_FIELDS,
    "m_axi_r": (),
    "m_axi_b": (),
    "s_axil_b": ("resp",),
    "s_axil_r": ("data", "resp"),
}
"""What the accelerator drives, which must be stable; of R and B of the memory only the handshakes count."""


class Monitor:
    """Independent of the bus models: reads the top's ports only."""

    def __init__(self, dut, bus_bytes):
        self.violations = []
        self.bursts = Bursts(bus_bytes, self.violations)
        self._dut = dut
        self._channels = {
            name: (
                getattr(dut, f"{name}valid"),
                getattr(dut, f"{name}ready"),
                [getattr(dut, name + field) for field in fields],
                Handshake(name, self.violations),
            )
            for name, fields in CHANNELS.items()
        }
        cocotb.start_soon(self._run())

    def finish(self):
        """Assert that nothing was wrong and nothing is left."""
        self.bursts.finish()
        assert not self.violations, self.violations[:10]

    async def _run(self):
        edge = RisingEdge(self._dut.clk)
        cycles_in_reset = 0
        while True:
            await edge
            if self._dut.rst.value:
                cycles_in_reset += 1
                self._sample_reset(cycles_in_reset)
            else:
                cycles_in_reset = 0
                self._sample()

    def _sample_reset(self, cycles):
        self.bursts.reset()
        for name, (valid, _, fields, handshake) in self._channels.items():
            handshake.reset()
            if cycles > 1 and fields and valid.value:
                self.violations.append(f"{name}: VALID in reset")

    def _sample(self):
        transferred = {}
        for name, (valid, ready, fields, handshake) in self._channels.items():
            is_valid = bool(valid.value)
            payload = [field.value for field in fields] if is_valid else None
            moved = handshake.sample(is_valid, bool(ready.value), payload)
            if moved is not None:
                transferred[name] = moved
        bursts = self.bursts
        if "m_axi_ar" in transferred:
            bursts.read_address(*(int(value) for value in transferred["m_axi_ar"][:4]))
        if "m_axi_aw" in transferred:
            bursts.write_address(*(int(value) for value in transferred["m_axi_aw"][:4]))
        # An address seen at an edge comes before data and responses seen at the same edge.
        if "m_axi_w" in transferred:
            bursts.write_data(bool(transferred["m_axi_w"][2]))
        if "m_axi_r" in transferred:
            bursts.read_data()
        if "m_axi_b" in transferred:
            bursts.write_response()
