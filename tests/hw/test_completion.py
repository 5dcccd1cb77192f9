import random

import pytest
from hw.streams import STALLS, accept, offer, simulate, small_config
from systolith_hw.completion import Completion
from systolith_hw.descriptor import COMPLETION_FIELDS, Code, Counters, Reject
from systolith_hw.descriptor import Completion as Record

NAMES = ("compute", "wait_a", "wait_b", "wait_output", "fill", "drain")


def make_cases(rng, config, count):
    """Descriptors as they were judged, the faults that happen while they run, and their counters."""
    cases = []
    for number in range(count):
        code = rng.choice([Code.OK, Code.OK, Code.OK, Code.REJECTED, Code.READ_ERROR])
        kinds = [rng.choice(["read", "write"]) for _ in range(rng.choice([0, 0, 1, 3]))]
        if code == Code.REJECTED:
            kinds = []
        if code == Code.READ_ERROR:
            kinds = ["read"] * rng.randint(1, 2)
        cases.append(
            {
                "tag": rng.getrandbits(32),
                "interrupt": rng.randrange(2),
                "code": code,
                "reason": rng.choice(list(Reject)[1:]) if code == Code.REJECTED else Reject.NONE,
                "address": rng.getrandbits(config.address_bits - 7),
                "slot": number % config.descriptor_slots,
                "faults": [(kind, rng.getrandbits(32)) for kind in kinds],
                "counters": [rng.getrandbits(32) for _ in NAMES],
                "handed_on": rng.random() < 0.5,
            }
        )
    return cases


def expected_record(case):
    counters = case["counters"] if case["code"] == Code.OK else [0] * len(NAMES)
    code, address = case["code"], 0
    if case["faults"]:
        kind, address = case["faults"][0]
        code = Code.READ_ERROR if kind == "read" else Code.WRITE_ERROR
    return Record(
        code=code,
        reason=case["reason"],
        fault_address=address,
        tag=case["tag"],
        counters=Counters(**dict(zip(NAMES, counters, strict=True))),
    ).pack()


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize(("bits", "slots"), [(32, 4), (32, 1), (512, 4), (512, 1)])
def test_sim_random(bits, slots, idle, stall):
    """Records in order, at their ring slots, each with the first fault of its own descriptor."""
    config = small_config(axi_data_bits=bits, descriptor_slots=slots)
    rng = random.Random(bits)
    cases = make_cases(rng, config, 40)
    dut = Completion(config)
    entered, released, stored, closes = 0, 0, 0, 0
    faulting = False
    finished = []

    async def enter(ctx):
        """Descriptors enter while slots are free; the fault of one that could not be read comes first."""
        nonlocal entered
        source = random.Random(1)
        for case in cases:
            while entered - released >= config.descriptor_slots:
                await ctx.tick()
            entry = {name: case[name] for name in ("tag", "interrupt", "code", "reason", "address", "slot")}
            if case["code"] == Code.READ_ERROR:
                await fault(ctx, case)
            await offer(ctx, dut.in_flight, entry, rng=source, idle=idle)
            entered += 1

    async def fault(ctx, case):
        nonlocal faulting
        while faulting:
            await ctx.tick()
        faulting = True
        for kind, address in case["faults"]:
            ctx.set(getattr(dut, f"{kind}_fault"), 1)
            ctx.set(getattr(dut, f"{kind}_fault_slot"), case["slot"])
            ctx.set(getattr(dut, f"{kind}_fault_address"), address)
            await ctx.tick()
            ctx.set(getattr(dut, f"{kind}_fault"), 0)
        faulting = False

    async def run(ctx):
        """Descriptors run in order: their faults, then the last of their results is in memory."""
        nonlocal stored
        source = random.Random(2)
        for number, case in enumerate(cases):
            if case["code"] != Code.OK:
                continue
            while entered <= number:
                await ctx.tick()
            await fault(ctx, case)
            while source.random() < idle:
                await ctx.tick()
            ctx.set(dut.stored, 1)
            await ctx.tick()
            ctx.set(dut.stored, 0)
            stored += 1
            finished.append(case)

    async def count(ctx):
        """The cycle counters: some have handed their charge on, so that their result is there already."""
        nonlocal closes
        for case in [case for case in cases if case["code"] == Code.OK]:
            close = False
            while not close and not case["handed_on"]:
                close = (await ctx.tick().sample(dut.close))[-1]
                assert case in finished or not close, "closed before its results were in memory"
            closes += close
            ctx.set(dut.counters.valid, 1)
            words = dict(zip((COMPLETION_FIELDS[name].word for name in NAMES), case["counters"], strict=True))
            taken = False
            while not taken:
                _, _, taken, show, beat, close = await ctx.tick().sample(
                    dut.counters.release, dut.counters.show, dut.counters.beat, dut.close
                )
                assert not close
                for number in range(len(dut.counters.words)):
                    word = beat * len(dut.counters.words) + number
                    ctx.set(dut.counters.words[number], show and words.get(word, 0))
            ctx.set(dut.counters.valid, 0)
            for word in dut.counters.words:
                ctx.set(word, 0)

    async def write(ctx):
        nonlocal released
        sink = random.Random(3)
        beats = 64 // config.bus_bytes
        for number, case in enumerate(cases):
            record, ended = await accept(ctx, dut.records, rng=sink, stall=stall, sample=(dut.ended,))
            assert record["address"] * config.bus_bytes == 128 * case["address"] + 64
            assert (record["beats"], record["slot"]) == (beats, case["slot"])
            assert record["interrupt"] == case["interrupt"]
            assert ended
            assert case["code"] != Code.OK or case in finished
            contents = b""
            for _ in range(beats):
                payload, release = await accept(
                    ctx, dut.record_beats, rng=sink, stall=stall, sample=(dut.slot_release,)
                )
                assert payload["strobe"] == (1 << config.bus_bytes) - 1
                assert not release
                contents += payload["data"].to_bytes(config.bus_bytes, "little")
            assert contents == expected_record(case), number
            assert (await ctx.tick().sample(dut.slot_release))[-1]
            released += 1

    simulate(dut, enter, run, count, write)
    assert closes == sum(case["code"] == Code.OK and not case["handed_on"] for case in cases)
