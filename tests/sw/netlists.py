"""Small configurations of one board of each family, whose netlists are built within a minute."""

import dataclasses

from systolith import ArrayConfig

SMALL = ArrayConfig(
    rows=2,
    columns=2,
    a_buffer_lines=64,
    b_buffer_lines=32,
    accumulator_rows=8,
    epilogue_lanes=1,
    burst_bytes=8,
    outstanding=2,
    descriptor_slots=2,
    address_bits=20,
    dimension_bits=8,
    counter_bits=24,
)
NETLISTS = {
    # Roomy enough for MiniLM.
    "ulx3s-25f": dataclasses.replace(
        SMALL,
        rows=4,
        columns=4,
        a_buffer_lines=512,
        outstanding=4,
        address_bits=24,
        dimension_bits=12,
    ),
    "icebreaker": dataclasses.replace(SMALL, lane_cycles=32, tile_columns=2),
    "tang-nano-9k": dataclasses.replace(SMALL, lane_cycles=16),
}
