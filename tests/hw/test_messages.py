import pytest
from amaranth.lib import data
from hw.streams import small_config
from systolith_hw import messages
from systolith_hw.descriptor import DESCRIPTOR_FIELDS, RECORD_BYTES


def test_descriptor_layout():
    """Every field lies where the contract says, and nothing lies between."""
    layout = messages.DescriptorLayout()
    assert layout.size == 8 * RECORD_BYTES
    assert layout.members.keys() == DESCRIPTOR_FIELDS.keys()
    for name, field in DESCRIPTOR_FIELDS.items():
        assert layout[name].offset == 32 * field.word + field.lsb
        assert layout[name].width == field.width


def fits(layout, name, value):
    return value < 1 << data.Layout.cast(layout)[name].width


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"rows": 2, "columns": 8, "axi_data_bits": 32},
        {"rows": 16, "columns": 2, "axi_data_bits": 512, "burst_bytes": 512},
        {"rows": 2, "columns": 64, "axi_data_bits": 32, "accumulator_rows": 4096, "burst_bytes": 1024},
    ],
)
def test_widths(values):
    """The largest value of every field fits."""
    config = small_config(**values | {"a_buffer_lines": 4096})
    row_request, panel = messages.RowRequest(config), messages.Panel(config)
    lines = max(config.burst_lines, config.parameter_lines)
    beats = max(lines * config.line_bytes, RECORD_BYTES) // config.bus_bytes
    rows = max(config.accumulator_rows, config.rows, config.columns)
    for layout, name, largest in [
        (row_request, "beats", beats),
        (row_request, "line", max(config.a_buffer_lines, config.b_buffer_lines) - 1),
        (row_request, "stride", rows),
        (row_request, "slot", config.descriptor_slots - 1),
        (panel, "rows", rows),
        (panel, "line_end", lines - 1),
        (panel, "beats", beats),
        (panel, "line", 131071 // config.line_bytes),
        (messages.ReadData(config), "beat", config.beats_per_line - 1),
        (messages.RowWrite(config), "beats", max(4 * config.columns, RECORD_BYTES) // config.bus_bytes),
        (messages.AccumulatorAccess(config), "row", config.accumulator_rows - 1),
    ]:
        assert fits(layout, name, largest), (name, largest)
