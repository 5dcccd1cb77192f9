import random

import pytest
from hw.streams import accept, members, simulate, small_config
from systolith_hw import descriptor_fetch
from systolith_hw.config import K_MAX
from systolith_hw.descriptor import BLayout, Code, Descriptor, Output, Reject
from systolith_hw.descriptor_fetch import DescriptorFetch
from systolith_hw.messages import Target

CONFIGS = {
    "default": {"a_buffer_lines": 64},
    "wide bus": {"axi_data_bits": 512, "a_buffer_lines": 16, "descriptor_slots": 2},
    "one slot": {"a_buffer_lines": 64, "descriptor_slots": 1},
    "narrow": {"a_buffer_lines": 64, "address_bits": 20, "dimension_bits": 10},
    "large buffers": {"axi_data_bits": 64, "a_buffer_lines": 16384, "accumulator_rows": 4096},
}


def random_descriptor(rng, config):
    """A descriptor that is right, or wrong in a few places."""
    bus = config.bus_bytes
    largest = (1 << config.dimension_bits) - 1
    k = rng.choice([1, config.line_bytes, config.line_bytes + 1, rng.randint(1, 4 * config.line_bytes)])
    values = {
        "m": rng.choice([1, largest, rng.randint(1, 99)]),
        "k": rng.choice([k, k, min(K_MAX, largest)]),
        "n": rng.choice([1, largest, rng.randint(1, 99)]),
        "batch": rng.choice([1, min(65535, largest)]),
        "b_layout": rng.choice(list(BLayout)),
        "output": rng.choice(list(Output)),
        "relu": rng.random() < 0.5,
        "interrupt": rng.random() < 0.5,
        "tag": rng.getrandbits(32),
    }
    values["parameters"] = values["output"] == Output.INT8 or rng.random() < 0.5
    values["m_block"] = max(1, config.max_m_block(values["k"]) + rng.choice([0, 0, 0, -1]))
    strided = [f"{matrix}_{part}" for matrix in "abd" for part in ("address", "stride", "batch_stride")]
    for name in (*strided, "parameter_address"):
        values[name] = bus * rng.randrange((1 << config.address_bits) // bus)
    wrong = {
        "zero": lambda: values.update({rng.choice(["m", "k", "n", "batch", "m_block"]): 0}),
        "overflow": lambda: values.update(k=rng.choice([K_MAX + 1, K_MAX + 2, 1 << 17, 2**24 - 1])),
        "capacity": lambda: values.update(
            m_block=rng.choice(
                [config.max_m_block(values["k"] or 1) + 1, config.accumulator_rows + 1, 1 << 15, 65535]
            )
        ),
        "alignment": lambda: values.update(
            {rng.choice([*strided, "parameter_address"]): bus * 3 + rng.randrange(1, bus)}
        ),
        "parameters": lambda: values.update(output=Output.INT8, parameters=False),
    }
    if config.address_bits < 32:
        wrong["width"] = lambda: values.update(
            rng.choice(
                [
                    {rng.choice(["m", "n"]): largest + 1},
                    {"k": rng.choice([largest + 1, largest + 2, K_MAX]), "m_block": 1},
                    {"batch": 65535},
                    {
                        rng.choice([*strided, "parameter_address"]): 1
                        << rng.randrange(config.address_bits, 32)
                    },
                ]
            )
        )
    for name in rng.sample(sorted(wrong), rng.choice([0, 0, 1, 1, 2])):
        wrong[name]()
    contents = int.from_bytes(Descriptor(**values).pack(), "little")
    if rng.random() < 0.15:
        reserved = [*range(13, 32), *(32 * word + bit for word in (1, 2, 3) for bit in range(24, 32))]
        contents ^= 1 << rng.choice([*reserved, *range(8)])
    return contents.to_bytes(64, "little")


def verdict(contents, config):
    """Why the contract rejects what was fetched."""
    try:
        return Descriptor.unpack(contents).check(config)
    except ValueError:
        return Reject.OPCODE


@pytest.mark.parametrize("ring_size", [0, 2])
@pytest.mark.parametrize("name", CONFIGS)
def test_sim_random(name, ring_size, monkeypatch):
    """Each descriptor is fetched from its slot of the ring, judged, and handed on or not; the counts wrap."""
    monkeypatch.setattr(descriptor_fetch, "RING_COUNT_BITS", 5)
    config = small_config(**CONFIGS[name])
    rng = random.Random(f"{name}{ring_size}")
    descriptors = [random_descriptor(rng, config) for _ in range(90)]
    faults = [rng.random() < 0.1 for _ in descriptors]
    base = 128 * rng.randrange(1 << 25)
    dut = DescriptorFetch(config)
    tail, fetched, judged, completed = 0, 0, 0, 0
    reasons = set()
    entries = []

    async def submit(ctx):
        """Ring the doorbell for some descriptors at a time, as many as there are slots at most."""
        nonlocal tail
        source = random.Random(1)
        ctx.set(dut.enable, 1)
        ctx.set(dut.ring_base, base)
        ctx.set(dut.ring_size, ring_size)
        while tail < len(descriptors):
            if tail - completed < 1 << ring_size and source.random() < 0.3:
                tail += source.randint(1, min((1 << ring_size) - (tail - completed), len(descriptors) - tail))
                ctx.set(dut.ring_tail, tail % (1 << 5))
            await ctx.tick()

    async def memory(ctx):
        nonlocal fetched
        source = random.Random(2)
        beats = 64 // config.bus_bytes
        for number, (contents, fault) in enumerate(zip(descriptors, faults, strict=True)):
            request = await accept(ctx, dut.requests, rng=source, stall=0.4)
            assert number < tail, "fetched what was not submitted"
            assert request["address"] == (base + number % (1 << ring_size) * 128) % (1 << config.address_bits)
            assert request["beats"] == beats
            assert request["target"] == Target.DESCRIPTOR.value
            assert request["slot"] == number % config.descriptor_slots
            fetched += 1
            failing = source.randrange(beats) if fault else -1
            for beat in range(beats):
                while source.random() < 0.3:
                    await ctx.tick()
                start = beat * config.bus_bytes
                word = int.from_bytes(contents[start : start + config.bus_bytes], "little")
                ctx.set(dut.beat, word)
                ctx.set(dut.beat_fault, beat == failing)
                ctx.set(dut.beat_valid, 1)
                await ctx.tick()
                ctx.set(dut.beat_valid, 0)
                ctx.set(dut.beat_fault, 1)
                ctx.set(dut.beat, 0)

    async def judge(ctx):
        nonlocal judged
        entry_layout, layout = dut.in_flight.payload.shape(), dut.descriptor.shape()
        while judged < len(descriptors):
            _, _, valid, dispatch, entry, fields, count, busy, submitted, ring_tail = await ctx.tick().sample(
                dut.in_flight.valid, dut.dispatch, dut.in_flight.payload.as_value(),
                dut.descriptor.as_value(), dut.in_flight_count, dut.busy, dut.submitted, dut.ring_tail,
            )  # fmt: skip
            assert count <= config.descriptor_slots
            assert not dispatch or valid
            assert submitted == (judged % (1 << 5) != ring_tail)
            if not valid:
                continue
            assert busy
            contents, fault = descriptors[judged], faults[judged]
            raw = dict(members(layout.from_bits(int.from_bytes(contents, "little"))))
            expected = {
                "tag": raw["tag"],
                "interrupt": raw["interrupt"],
                "code": Code.OK,
                "reason": Reject.NONE,
                "address": (base // 128 + judged % (1 << ring_size)) % (1 << config.address_bits - 7),
                "slot": judged % config.descriptor_slots,
            }
            reason = verdict(contents, config)
            if fault:
                expected |= {"tag": 0, "interrupt": 1, "code": Code.READ_ERROR}
            elif reason != Reject.NONE:
                expected |= {"code": Code.REJECTED, "reason": reason}
            assert members(entry_layout.from_bits(entry)) == expected
            assert dispatch == (expected["code"] == Code.OK)
            if dispatch:
                assert members(layout.from_bits(fields)) == raw
            reasons.add(reason)
            entries.append(entry)
            judged += 1

    async def complete(ctx):
        nonlocal completed
        source = random.Random(3)
        while completed < len(descriptors):
            release = judged > completed and source.random() < 0.2
            ctx.set(dut.slot_release, release)
            entry = (await ctx.tick().sample(dut.in_flight.payload.as_value()))[-1]
            assert not release or config.descriptor_slots > 1 or entry == entries[completed]
            completed += release
        ctx.set(dut.slot_release, 0)
        await ctx.tick()
        assert ctx.get(dut.in_flight_count) == 0
        assert not ctx.get(dut.busy)

    simulate(dut, submit, memory, judge, complete)
    assert reasons == set(Reject) - (set() if name == "narrow" else {Reject.WIDTH})


def test_sim_limits():
    """No fetch while disabled, nor while every slot is in flight."""
    config = small_config(axi_data_bits=512, descriptor_slots=2)
    dut = DescriptorFetch(config)

    async def bench(ctx):
        ctx.set(dut.requests.ready, 1)
        ctx.set(dut.ring_size, 4)
        ctx.set(dut.ring_tail, 5)
        ctx.set(dut.beat_valid, 1)
        requests = []
        for enable, release, cycles in ((0, 0, 8), (1, 0, 40), (1, 1, 1), (1, 0, 20), (0, 1, 2), (0, 0, 9)):
            ctx.set(dut.enable, enable)
            ctx.set(dut.slot_release, release)
            count = 0
            for _ in range(cycles):
                count += (await ctx.tick().sample(dut.requests.valid))[-1]
            requests.append(count)
        assert requests == [0, 2, 0, 1, 0, 0]

    simulate(dut, bench)
