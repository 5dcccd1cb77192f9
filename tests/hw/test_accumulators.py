import random

import pytest
from hw.streams import lanes, signed, small_config, trace
from systolith_hw.accumulators import AccumulatorBank, Accumulators
from systolith_hw.vendor.ice40 import Ice40Accumulators

FORMS = [Accumulators, Ice40Accumulators]
HAZARD = AccumulatorBank.HAZARD_CYCLES
READ = AccumulatorBank.READ_CYCLES
QUIET = {"valid": 0, "first": 0, "half": 0, "row": 0, "tile_end": 0}


@pytest.mark.parametrize("form", FORMS)
def test_sim_hazard(form):
    """Sums of one row, accumulated at the shortest distance that is allowed."""
    config = small_config()
    rng = random.Random(1)
    values = [rng.randrange(-(1 << 17), 1 << 17) for _ in range(10)]
    stimuli = []
    for number, value in enumerate(values):
        access = QUIET | {"valid": 1, "first": number == 0, "half": 1, "row": 5}
        stimuli += [{"access": access}, *[{"access": QUIET, "psum": [99999]}] * (READ - 1)]
        stimuli += [{"psum": [value]}, *[{"psum": [99999]}] * (HAZARD - READ - 1)]
    # The last access was HAZARD cycles ago: its sum can be read, and comes one cycle later.
    stimuli += [{"read_enable": 1, "read_half": 1, "read_row": 5}, {"read_enable": 0}]
    outputs = trace(form.bank(config), stimuli, ["read_data"])
    assert signed(outputs[-1]["read_data"], 32) == sum(values)


def test_sim_hazard_too_early():
    """One cycle less, and the sum of the access before is lost: the constant is not larger than needed."""
    config = small_config()
    first, second = QUIET | {"valid": 1, "first": 1, "row": 2}, QUIET | {"valid": 1, "row": 2}
    stimuli = [{"access": first}, *[{"access": QUIET}] * (READ - 1), {"psum": [100]}]
    stimuli += [{}] * (HAZARD - READ - 2)
    stimuli += [{"access": second}, *[{"access": QUIET}] * (READ - 1), {"psum": [7]}]
    stimuli += [{}] * (HAZARD - READ - 1)
    stimuli += [{"read_enable": 1, "read_half": 0, "read_row": 2}, {}]
    outputs = trace(AccumulatorBank(config), stimuli, ["read_data"])
    assert signed(outputs[-1]["read_data"], 32) != 107


def test_sim_read_holds():
    """What was read last stays, while the other half accumulates."""
    config = small_config()
    stimuli = [
        {"access": QUIET | {"valid": 1, "first": 1, "row": 1}},
        *[{"access": QUIET}] * (READ - 1),
        {"psum": [-3]},
        *[{}] * (HAZARD - READ - 1),
    ]
    stimuli += [{"read_enable": 1, "read_half": 0, "read_row": 1}]
    other = QUIET | {"valid": 1, "first": 1, "half": 1, "row": 1}
    stimuli += [{"read_enable": 0, "read_row": 3, "read_half": 1, "access": other, "psum": [50]}] * 6
    outputs = trace(AccumulatorBank(config), stimuli, ["read_data"])
    assert [signed(cycle["read_data"], 32) for cycle in outputs[-6:]] == [-3] * 6


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("columns", "tile_columns", "delay"), [(2, 1, READ), (4, 1, 9), (4, 2, 9), (8, 2, READ), (4, 4, READ)]
)
def test_sim_random(columns, tile_columns, delay, form):
    """Passes over both halves in random order, each row read back as soon as ``tile_done`` allows."""
    config = small_config(columns=columns, tile_columns=tile_columns)
    rng = random.Random(columns)
    psum = [{} for _ in range(columns)]
    schedule, reads, tile_done = {}, {}, set()
    contents = {}
    t, half = 0, 0
    reading_until = {0: 0, 1: 0}
    for _ in range(30):
        rows = rng.randint(1, config.accumulator_rows)
        t = max(t, reading_until[half])
        expected = {}
        passes = rng.randint(1, 3)
        for number in range(passes):
            for row in range(rows):
                end = number == passes - 1 and row == rows - 1
                schedule[t] = QUIET | {
                    "valid": 1, "first": number == 0, "half": half, "row": row, "tile_end": end,
                }  # fmt: skip
                values = [rng.randrange(-(1 << 17), 1 << 17) for _ in range(columns)]
                for column, value in enumerate(values):
                    psum[column][t + delay + column // tile_columns] = value
                before = expected.get(row, [0] * columns)
                expected[row] = [x + y for x, y in zip(before, values, strict=True)]
                t += 1 + (rng.random() < 0.2)
            t = max(t, max(schedule) + 1 + HAZARD - rows)
        last = max(schedule)
        done = last + delay - READ + columns // tile_columns - 1 + HAZARD - 1
        tile_done.add(done)
        order = list(range(rows))
        rng.shuffle(order)
        start = max(done + 1, max(reads, default=0) + 1)
        for number, row in enumerate(order):
            reads[start + number] = (half, row)
            contents[start + number] = expected[row]
        reading_until[half] = start + rows + 1
        half ^= 1

    cycles = max(reads) + 3
    stimuli = []
    for cycle in range(cycles):
        read_half, row = reads.get(cycle, (0, 0))
        stimuli.append(
            {
                "access": schedule.get(cycle, QUIET | {"first": rng.randrange(2), "row": rng.randrange(8)}),
                "psum": [psum[column].get(cycle, rng.randrange(1 << 10)) for column in range(columns)],
                "read_enable": cycle in reads,
                "read_half": read_half,
                "read_row": row,
            }
        )
    outputs = trace(form(config, delay_cycles=delay), stimuli, ["read_data", "tile_done"])
    assert {cycle for cycle, seen in enumerate(outputs) if seen["tile_done"]} == tile_done
    for cycle, expected in contents.items():
        assert lanes(outputs[cycle + 1]["read_data"], 32, columns) == expected
