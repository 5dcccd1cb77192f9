"""The emitted top in Verilator, driven by cocotbext-axi."""

import pytest


@pytest.mark.parametrize("name", ["4x4-narrow", "2x8-wide"])
@pytest.mark.parametrize("module", ["check_registers", "check_gemms", "check_errors", "check_rejects"])
def test_sim_accelerator(simulate, name, module):
    simulate("verilator", name, module)
