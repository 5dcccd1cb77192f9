import dataclasses
import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from systolith_hw.config import K_MAX, ArrayConfig

DEFAULT_TEXT = "16x16-axi128-a4096-b256-acc256-e16-burst64-o64-ds4"

LARGE_BUFFERS = {"a_buffer_lines": 16384, "b_buffer_lines": 16384}
"""Any array fits them."""

SMALL_LINES = {"rows": 2, "columns": 2, "axi_data_bits": 512}
"""An array for which any buffer is large enough."""

BOUNDS = [
    ("rows", 2, 64),
    ("columns", 2, 64),
    ("axi_data_bits", 32, 512),
    ("epilogue_lanes", 1, 16),
    ("burst_bytes", 4, 1024),
    ("a_buffer_lines", 4, 16384),
    ("b_buffer_lines", 4, 16384),
    ("accumulator_rows", 4, 4096),
    ("outstanding", 1, 256),
    ("descriptor_slots", 1, 8),
]


def powers_of_two(low, high):
    return st.sampled_from([1 << bit for bit in range(low.bit_length() - 1, high.bit_length())])


@st.composite
def configs(draw):
    """Any array, with buffers that are large enough for it."""
    values = {name: draw(powers_of_two(low, high)) for name, low, high in BOUNDS if name != "epilogue_lanes"}
    values["epilogue_lanes"] = draw(powers_of_two(1, values["columns"]))
    line_bytes = max(values["axi_data_bits"] // 8, values["rows"], values["columns"])
    burst_lines = max(1, values["burst_bytes"] // line_bytes)
    parameter_lines = max(1, 8 * values["columns"] // line_bytes)
    panel = max(values["columns"] * burst_lines, values["rows"], parameter_lines)
    assume(values["b_buffer_lines"] >= 2 * panel)
    assume(values["a_buffer_lines"] >= 2 * burst_lines)
    return ArrayConfig(**values)


def test_init():
    config = ArrayConfig()
    assert dataclasses.asdict(config) == {
        "rows": 16,
        "columns": 16,
        "axi_data_bits": 128,
        "a_buffer_lines": 4096,
        "b_buffer_lines": 256,
        "accumulator_rows": 256,
        "epilogue_lanes": 16,
        "burst_bytes": 64,
        "outstanding": 64,
        "descriptor_slots": 4,
        "address_bits": 32,
        "dimension_bits": 24,
        "counter_bits": 32,
        "lane_cycles": 1,
        "tile_columns": 1,
    }


def test_init_positional():
    with pytest.raises(TypeError, match="positional argument"):
        ArrayConfig(16, 16)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ArrayConfig().rows = 8


def test_equal_and_hashable():
    assert ArrayConfig() == ArrayConfig(axi_data_bits=128, epilogue_lanes=16)
    assert len({ArrayConfig(), ArrayConfig(axi_data_bits=128), ArrayConfig(rows=8)}) == 2


@pytest.mark.parametrize(("rows", "bits"), [(2, 32), (4, 32), (8, 64), (16, 128), (32, 256), (64, 512)])
def test_init_axi_data_bits(rows, bits):
    assert ArrayConfig(rows=rows, columns=4).axi_data_bits == bits


@pytest.mark.parametrize("columns", [2, 4, 8, 16])
def test_init_epilogue_lanes(columns):
    assert ArrayConfig(columns=columns).epilogue_lanes == columns


@pytest.mark.parametrize(("name", "low", "high"), BOUNDS)
def test_init_bounds(name, low, high):
    assert getattr(ArrayConfig(**{**SMALL_LINES, name: low}), name) == low
    assert getattr(ArrayConfig(**{**LARGE_BUFFERS, name: high}), name) == high


@pytest.mark.parametrize(("name", "low", "high"), BOUNDS)
def test_init_wrong_value(name, low, high):
    for value in (0, -low, -16, low // 2, 2 * high, 3, 12, high - 1, 1 << 40):
        with pytest.raises(
            ValueError, match=rf"^{name} must be a power of two from {low} to {high}, not {value}$"
        ):
            ArrayConfig(**{name: value})


@pytest.mark.parametrize(("name", "low", "high"), BOUNDS)
@pytest.mark.parametrize(
    ("value", "shown"), [(16.0, "16.0"), ("16", "'16'"), (True, "True"), ([16], r"\[16\]")]
)
def test_init_wrong_type(name, low, high, value, shown):
    with pytest.raises(TypeError, match=rf"^{name} must be an int, not {shown}$"):
        ArrayConfig(**{name: value})


@pytest.mark.parametrize(
    "name", [name for name, _, _ in BOUNDS if name not in ("axi_data_bits", "epilogue_lanes")]
)
def test_init_wrong_none(name):
    with pytest.raises(TypeError, match=rf"^{name} must be an int, not None$"):
        ArrayConfig(**{name: None})


def test_init_wrong_epilogue_lanes():
    with pytest.raises(ValueError, match=r"^epilogue_lanes must be a power of two from 1 to 8, not 16$"):
        ArrayConfig(columns=8, epilogue_lanes=16)


@pytest.mark.parametrize(
    ("values", "least"),
    [
        # 64 columns of one line each.
        ({"columns": 64}, 128),
        # 16 columns of 1024 / 16 lines each.
        ({"burst_bytes": 1024}, 2048),
        # 64 rows of one line each; two columns.
        ({"rows": 64, "columns": 2}, 128),
        # 8 lines of 4 bytes with the parameters of 4 columns.
        ({"rows": 4, "columns": 4, "burst_bytes": 4}, 16),
    ],
)
def test_init_wrong_b_buffer_lines(values, least):
    with pytest.raises(
        ValueError, match=rf"^b_buffer_lines must be at least {least} \(two panels\), not {least // 2}$"
    ):
        ArrayConfig(**values, b_buffer_lines=least // 2)
    assert ArrayConfig(**values, b_buffer_lines=least).b_buffer_lines == least


def test_init_wrong_a_buffer_lines():
    with pytest.raises(ValueError, match=r"^a_buffer_lines must be at least 8 \(two bursts\), not 4$"):
        ArrayConfig(a_buffer_lines=4)
    assert ArrayConfig(a_buffer_lines=8).a_buffer_lines == 8


def test_str():
    assert str(ArrayConfig()) == DEFAULT_TEXT


@given(configs())
def test_parse_str(config):
    assert ArrayConfig.parse(str(config)) == config


@given(configs(), configs())
def test_str_is_injective(one, other):
    assert (str(one) == str(other)) == (one == other)
    assert (one.content_hash == other.content_hash) == (one == other)


def test_parse():
    assert ArrayConfig.parse("8x32") == ArrayConfig(rows=8, columns=32)
    assert ArrayConfig.parse("8X32") == ArrayConfig(rows=8, columns=32)
    assert ArrayConfig.parse("8x8-acc64-axi32") == ArrayConfig(
        rows=8, columns=8, accumulator_rows=64, axi_data_bits=32
    )
    assert ArrayConfig.parse("8x8-a64", a_buffer_lines=128) == ArrayConfig(
        rows=8, columns=8, a_buffer_lines=128
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "16",
        "x",
        "16x",
        "x16",
        "16x16x16",
        "16*16",
        "16x16-",
        "16x16-128",
        "16x16-axi",
        "16x16-axi128x",
        "16x16-bus128",
        "16x16--a64",
        "16x16-a6.4",
        "ax16",
        "-16x16",
        "16x16-rows8",
        "16x16 -a64",
        "1_6x16",
        "+16x16",
        "１６x16",
        "16x16-a64-a32",
        "16x16-x8",
    ],
)
def test_parse_wrong(text):
    with pytest.raises(ValueError) as caught:
        ArrayConfig.parse(text)
    assert str(caught.value) == (
        f"array must look like '16x16' or '16x16-axi128-a4096', not {text!r}; "
        "what may follow rows and columns, each once, is "
        "axi, a, b, acc, e, burst, o, ds, addr, dim, cnt, lc, tc"
    )


def test_parse_wrong_value():
    with pytest.raises(ValueError, match=r"^rows must be a power of two from 2 to 64, not 12$"):
        ArrayConfig.parse("12x16")
    with pytest.raises(ValueError, match=r"^axi_data_bits must be a power of two from 32 to 512, not 100$"):
        ArrayConfig.parse("16x16-axi100")


def test_content_hash():
    """Renaming everything ever built is a decision: raise CONTRACT_VERSION, or restore the text form."""
    assert (
        ArrayConfig().content_hash == hashlib.sha256(f"systolith-1:{DEFAULT_TEXT}".encode()).hexdigest()[:16]
    )
    assert ArrayConfig().content_hash == "1b6354a3f396b42b"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {},
            {
                "bus_bytes": 16,
                "line_bytes": 16,
                "beats_per_line": 1,
                "k_tiles_per_line": 1,
                "n_tiles_per_line": 1,
                "burst_lines": 4,
                "parameter_lines": 8,
                "parameter_sets_per_line": 1,
                "psum_bits": 20,
                "peak_macs_per_cycle": 256,
            },
        ),
        (
            {"rows": 4, "columns": 32, "axi_data_bits": 64},
            {
                "bus_bytes": 8,
                "line_bytes": 32,
                "beats_per_line": 4,
                "k_tiles_per_line": 8,
                "n_tiles_per_line": 1,
                "burst_lines": 2,
                "parameter_lines": 8,
                "parameter_sets_per_line": 1,
                "psum_bits": 18,
                "peak_macs_per_cycle": 128,
            },
        ),
        (
            {"rows": 2, "columns": 2, "axi_data_bits": 512},
            {
                "bus_bytes": 64,
                "line_bytes": 64,
                "beats_per_line": 1,
                "k_tiles_per_line": 32,
                "n_tiles_per_line": 32,
                "burst_lines": 1,
                "parameter_lines": 1,
                "parameter_sets_per_line": 4,
                "psum_bits": 17,
                "peak_macs_per_cycle": 4,
            },
        ),
    ],
)
def test_derived(values, expected):
    config = ArrayConfig(**values)
    assert {name: getattr(config, name) for name in expected} == expected


@given(configs())
def test_derived_agree(config):
    assert config.beats_per_line * config.bus_bytes == config.line_bytes
    assert config.k_tiles_per_line * config.rows == config.line_bytes
    assert config.n_tiles_per_line * config.columns == max(config.bus_bytes, config.columns)
    parameter_bytes = 8 * config.columns
    assert config.parameter_lines * config.line_bytes >= parameter_bytes
    assert config.parameter_sets_per_line * parameter_bytes <= max(config.line_bytes, parameter_bytes)
    assert config.columns % config.epilogue_lanes == 0


@pytest.mark.parametrize("rows", [2, 4, 8, 16, 32, 64])
def test_psum_bits(rows):
    """The width is enough for the largest sums and no wider."""
    bits = ArrayConfig(rows=rows, columns=2).psum_bits
    largest, smallest = rows * 128 * 128, -rows * 128 * 127
    assert -(1 << (bits - 1)) <= smallest
    assert largest <= (1 << (bits - 1)) - 1
    assert largest > (1 << (bits - 2)) - 1


def test_k_max():
    assert K_MAX == 131071
    assert K_MAX * 128 * 128 <= 2**31 - 1
    assert (K_MAX + 1) * 128 * 128 > 2**31 - 1


def test_k_lines():
    config = ArrayConfig()
    assert [config.k_lines(k) for k in (1, 15, 16, 17, 32, 33, 384, 385)] == [1, 1, 1, 2, 2, 3, 24, 25]


def test_max_m_block():
    config = ArrayConfig()
    # 4096 lines and 256 accumulator rows: the accumulators bound small K, the A buffer large K.
    assert config.max_m_block(1) == 256
    assert config.max_m_block(256) == 256
    assert config.max_m_block(257) == 240
    assert config.max_m_block(1536) == 42
    assert config.max_m_block(4096 * 16) == 1
    assert config.max_m_block(4096 * 16 + 1) == 0


def test_widths():
    """Widths are told only where they are less than in descriptors and records."""
    narrow = ArrayConfig(address_bits=17, counter_bits=24)
    assert str(narrow) == DEFAULT_TEXT + "-addr17-cnt24"
    assert ArrayConfig.parse(str(narrow)) == narrow
    assert ArrayConfig.parse("16x16-dim12").dimension_bits == 12
    full = ArrayConfig.parse("16x16-addr32-dim24-cnt32")
    assert full.content_hash == ArrayConfig().content_hash


def test_lane_cycles():
    """Told only where it is not 1; then there is one lane."""
    serial = ArrayConfig(lane_cycles=16)
    assert serial.epilogue_lanes == 1
    assert str(serial) == DEFAULT_TEXT.replace("e16", "e1") + "-lc16"
    assert ArrayConfig.parse(str(serial)) == serial == ArrayConfig.parse("16x16-lc16")
    assert ArrayConfig.parse("16x16-lc1") == ArrayConfig()
    for value in (0, 2, 8, 128, -16):
        with pytest.raises(ValueError, match=f"^lane_cycles must be 1, 16, 32 or 64, not {value}$"):
            ArrayConfig(lane_cycles=value)
    with pytest.raises(TypeError, match=r"^lane_cycles must be an int, not 16\.0$"):
        ArrayConfig(lane_cycles=16.0)
    with pytest.raises(ValueError, match=r"^epilogue_lanes must be 1 with lane_cycles 32, not 4$"):
        ArrayConfig(lane_cycles=32, epilogue_lanes=4)


def test_tile_columns():
    """Told only where it is not 1; it divides the columns."""
    tiled = ArrayConfig(tile_columns=4)
    assert tiled.column_tiles == 4
    assert ArrayConfig().column_tiles == 16
    assert str(tiled) == DEFAULT_TEXT + "-tc4"
    assert ArrayConfig.parse(str(tiled)) == tiled
    assert ArrayConfig.parse("16x16-tc1") == ArrayConfig()
    assert ArrayConfig(columns=64, tile_columns=64).column_tiles == 1
    for value in (0, 3, 16, -4):
        with pytest.raises(
            ValueError, match=f"^tile_columns must be a power of two from 1 to 8, not {value}$"
        ):
            ArrayConfig(columns=8, tile_columns=value)
    with pytest.raises(TypeError, match=r"^tile_columns must be an int, not 2\.0$"):
        ArrayConfig(tile_columns=2.0)


@pytest.mark.parametrize(
    ("name", "value", "bounds"),
    [("address_bits", 11, "12 to 32"), ("dimension_bits", 25, "8 to 24"), ("counter_bits", 15, "16 to 32")],
)
def test_init_wrong_width(name, value, bounds):
    with pytest.raises(ValueError, match=f"^{name} must be from {bounds}, not {value}$"):
        ArrayConfig(**{name: value})
    with pytest.raises(TypeError, match=f"^{name} must be an int, not 16.0$"):
        ArrayConfig(**{name: 16.0})
