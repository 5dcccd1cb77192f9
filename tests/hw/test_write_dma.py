import random

import pytest
from hw.streams import STALLS, accept, drive, offer, simulate, small_config
from systolith_hw.write_dma import WriteDma

BOUNDARY = 4096


def make_writes(rng, config, count, *, record):
    """Writes and the beats of each."""
    writes = []
    max_beats = max(4 * config.columns, config.bus_bytes) // config.bus_bytes
    for number in range(count):
        beats = 64 // config.bus_bytes if record else rng.randint(1, max_beats)
        address = BOUNDARY * rng.randrange(1 << 19)
        if record:
            address += 128 * rng.randrange(32) + 64
        else:
            address += rng.choice([0, BOUNDARY - config.bus_bytes, config.bus_bytes * rng.randrange(64)])
        write = {
            "address": address // config.bus_bytes,
            "beats": beats,
            "slot": rng.randrange(config.descriptor_slots),
            "end": int(not record and number % 4 == 3),
            "interrupt": rng.randrange(2) if record else 0,
        }
        data = [
            {"data": rng.getrandbits(config.axi_data_bits), "strobe": rng.getrandbits(config.bus_bytes)}
            for _ in range(beats)
        ]
        writes.append((write, data))
    return writes


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize(("columns", "bits"), [(8, 32), (4, 64), (2, 512)])
def test_sim_random(columns, bits, idle, stall):
    """Bursts, data and responses stay together, and what a response says is told of the right descriptor."""
    config = small_config(columns=columns, axi_data_bits=bits)
    dut = WriteDma(config)
    rng = random.Random(bits)
    writes = {
        "row": make_writes(rng, config, 40, record=False),
        "record": make_writes(rng, config, 12, record=True),
    }
    bursts, beats, granted, answered, events = [], [], [], [], []
    unanswered = []
    total = sum(write["beats"] for sent in writes.values() for write, _ in sent)
    outstanding = 0

    def feed(kind):
        async def announce(ctx):
            source = random.Random(kind)
            await drive(
                ctx, getattr(dut, f"{kind}s"), [write for write, _ in writes[kind]], rng=source, idle=idle
            )

        async def send(ctx):
            source = random.Random(kind + "data")
            data = [beat for _, beats in writes[kind] for beat in beats]
            await drive(ctx, getattr(dut, f"{kind}_beats"), data, rng=source, idle=idle)

        return announce, send

    async def watch_grants(ctx):
        left = {kind: iter(sent) for kind, sent in writes.items()}
        ports = (dut.records, dut.rows)
        while len(granted) < sum(len(sent) for sent in writes.values()):
            _, _, *seen = await ctx.tick().sample(*[p.valid for p in ports], *[p.ready for p in ports])
            accepted = [k for k, v, r in zip(("record", "row"), seen[:2], seen[2:], strict=True) if v and r]
            assert len(accepted) <= 1
            assert not (seen[0] and accepted == ["row"]), "records go first"
            granted.extend((kind, *next(left[kind])) for kind in accepted)

    async def take_bursts(ctx):
        nonlocal outstanding
        sink = random.Random(1)
        while True:
            burst = await accept(ctx, dut.bursts, rng=sink, stall=stall)
            first, size = burst["address"], burst["beats"] * config.bus_bytes
            assert first // BOUNDARY == (first + size - 1) // BOUNDARY
            bursts.append(burst)
            outstanding += 1
            assert outstanding <= config.outstanding

    async def take_beats(ctx):
        sink = random.Random(2)
        while True:
            beats.append(await accept(ctx, dut.beats, rng=sink, stall=stall))
            if beats[-1]["last"]:
                unanswered.append(None)

    async def answer(ctx):
        nonlocal outstanding
        source = random.Random(3)
        while True:
            if len(unanswered) <= len(answered):
                await ctx.tick()
                continue
            error = source.random() < 0.3
            await offer(ctx, dut.responses, {"error": error}, rng=source, idle=idle)
            answered.append(error)
            outstanding -= 1

    async def watch_events(ctx):
        while len(beats) < total or len(answered) < len(bursts):
            await look(ctx)
        for _ in range(3):
            await look(ctx)
        assert not ctx.get(dut.busy)

    async def look(ctx):
        flags = (dut.stored, dut.recorded, dut.fault, dut.record_fault)
        others = (dut.recorded_interrupt, dut.fault_slot, dut.fault_address)
        _, _, *values = await ctx.tick().sample(*flags, *others)
        stored, recorded, fault, record_fault, interrupt, slot, address = values
        if stored:
            events.append(("stored",))
        if recorded:
            events.append(("recorded", interrupt))
        if fault:
            events.append(("fault", slot, address))
        if record_fault:
            events.append(("record_fault", address))

    simulate(
        dut, *feed("row"), *feed("record"), watch_grants, watch_events,
        background=[take_bursts, take_beats, answer],
    )  # fmt: skip

    cuts = 0
    burst_iter, beat_iter, answers = iter(bursts), iter(beats), iter(answered)
    expected_events = []
    for kind, write, data in granted:
        address, left = write["address"] * config.bus_bytes, list(data)
        while left:
            burst = next(burst_iter)
            assert burst["address"] == address
            for position in range(burst["beats"]):
                last = int(position == burst["beats"] - 1)
                assert next(beat_iter) == left.pop(0) | {"last": last}
            error = next(answers)
            end = not left
            cuts += not end
            if kind == "record":
                expected_events.append(("recorded", write["interrupt"]))
                if error:
                    expected_events.append(("record_fault", address))
            else:
                if end and write["end"]:
                    expected_events.append(("stored",))
                if error:
                    expected_events.append(("fault", write["slot"], address))
            address += burst["beats"] * config.bus_bytes
    assert not list(burst_iter)
    assert not list(beat_iter)
    assert events == expected_events
    assert {event[0] for event in events} == {"stored", "recorded", "fault", "record_fault"}
    assert cuts or bits == 512


def test_sim_address_after_data():
    """A subordinate may wait for data before it takes the address: both are offered without the other."""
    config = small_config(columns=4, axi_data_bits=64)
    dut = WriteDma(config)
    writes = make_writes(random.Random(7), config, 12, record=False)
    taken = []
    at_once = {"rng": random.Random(0), "idle": 0}
    taking = {"rng": random.Random(0), "stall": 0}

    async def announce(ctx):
        for write, _ in writes:
            await offer(ctx, dut.rows, write, **at_once)

    async def send(ctx):
        for _, data in writes:
            for beat in data:
                await offer(ctx, dut.row_beats, beat, **at_once)

    async def subordinate(ctx):
        ctx.set(dut.beats.ready, 0)
        for write, data in writes:
            left = write["beats"]
            while left:
                await ctx.tick().until(dut.bursts.valid & dut.beats.valid)
                burst = await accept(ctx, dut.bursts, **taking)
                taken.extend([await accept(ctx, dut.beats, **taking) for _ in range(burst["beats"])])
                left -= burst["beats"]
                ctx.set(dut.responses.valid, 1)
                await ctx.tick()
                ctx.set(dut.responses.valid, 0)
            assert [beat["data"] for beat in taken[-len(data) :]] == [beat["data"] for beat in data]

    simulate(dut, subordinate, background=[announce, send], limit=2000)
    assert len(taken) == sum(write["beats"] for write, _ in writes)
