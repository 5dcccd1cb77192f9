import random

import pytest
from hw.streams import STALLS, accept, drive, offer, simulate, small_config
from systolith_hw.messages import Target, beats_shape
from systolith_hw.read_dma import ReadDma

PORTS = ("descriptor", "a", "b")
BOUNDARY = 4096


def make_config(bits):
    return small_config(rows=8, axi_data_bits=bits, burst_bytes=16, b_buffer_lines=64, a_buffer_lines=64)


def random_request(rng, config, port):
    descriptor = port == "descriptor"
    beats = 64 // config.bus_bytes if descriptor else rng.randint(1, 4 * config.beats_per_line // 2)
    start = rng.choice([0, BOUNDARY - config.bus_bytes, config.bus_bytes * rng.randrange(512)])
    return {
        "address": BOUNDARY * rng.randrange(1 << 19) + start,
        "beats": min(beats, (1 << beats_shape(config).width) - 1),
        "target": Target.B_BUFFER if port == "b" else Target.A_BUFFER if port == "a" else Target.DESCRIPTOR,
        "line": 0 if descriptor else rng.randrange(64),
        "stride": 0 if descriptor else rng.randint(1, 8),
        "slot": rng.randrange(config.descriptor_slots),
    }


class Memory:
    """Answers bursts in order with random data and errors, after random whiles, and keeps what it said."""

    def __init__(self, dut, config, *, seed, idle, stall):
        self.dut, self.config, self.idle, self.stall = dut, config, idle, stall
        self.random = random.Random(seed)
        self.waiting, self.bursts, self.answers = [], [], []

    async def take(self, ctx):
        rng = random.Random(1)
        while True:
            burst = await accept(ctx, self.dut.bursts, rng=rng, stall=self.stall)
            first, size = burst["address"], burst["beats"] * self.config.bus_bytes
            assert first // BOUNDARY == (first + size - 1) // BOUNDARY
            self.bursts.append(burst)
            self.waiting += [first + beat * self.config.bus_bytes for beat in range(burst["beats"])]

    async def answer(self, ctx):
        while True:
            if not self.waiting:
                await ctx.tick()
                continue
            word = self.random.getrandbits(self.config.axi_data_bits)
            beat = {"data": word, "error": self.random.random() < 0.2}
            await offer(ctx, self.dut.beats, beat, rng=self.random, idle=self.idle)
            self.answers.append((self.waiting.pop(0), beat["data"], beat["error"]))


@pytest.mark.parametrize(("idle", "stall"), STALLS)
@pytest.mark.parametrize("bits", [32, 64, 256])
def test_sim_random(bits, idle, stall):
    """Every beat goes to its place, and an error names its descriptor and address."""
    config = make_config(bits)
    dut = ReadDma(config)
    rng = random.Random(bits)
    requests = {port: [random_request(rng, config, port) for _ in range(15)] for port in PORTS}
    memory = Memory(dut, config, seed=bits, idle=idle, stall=stall)
    granted, delivered, faults = [], [], []
    total = sum(request["beats"] for sent in requests.values() for request in sent)

    def feed(port):
        async def bench(ctx):
            await drive(
                ctx, getattr(dut, f"{port}_requests"), requests[port], rng=random.Random(port), idle=idle
            )

        return bench

    async def watch_grants(ctx):
        ports = [getattr(dut, f"{port}_requests") for port in PORTS]
        left = {port: list(sent) for port, sent in requests.items()}
        while any(left.values()):
            _, _, *seen = await ctx.tick().sample(*[p.valid for p in ports], *[p.ready for p in ports])
            accepted = [p for p, v, r in zip(PORTS, seen[:3], seen[3:], strict=True) if v and r]
            assert len(accepted) <= 1
            assert not (seen[0] and accepted and accepted != ["descriptor"]), "descriptors go first"
            granted.extend((port, left[port].pop(0)) for port in accepted)

    async def watch_data(ctx):
        while len(delivered) < total:
            fields = [getattr(dut.data, name) for name in ("data", "line", "beat", "row_end")]
            fault = (dut.fault, dut.fault_slot, dut.fault_address)
            _, _, *values = await ctx.tick().sample(*[dut.valid[t] for t in Target], *fields, *fault)
            targets = [t for t in Target if values[t]]
            assert len(targets) <= 1
            if targets:
                delivered.append((targets[0], *values[3:7]))
            if values[7]:
                assert targets
                faults.append(tuple(values[8:]))
        await ctx.tick()
        assert not ctx.get(dut.busy)

    benches = [feed(port) for port in PORTS]
    simulate(dut, *benches, watch_grants, watch_data, background=[memory.take, memory.answer])

    expected, expected_faults = [], []
    answers = iter(memory.answers)
    for _, request in granted:
        for beat in range(request["beats"]):
            address, word, error = next(answers)
            assert address == request["address"] + beat * config.bus_bytes
            line, part = divmod(beat, config.beats_per_line)
            place = (request["line"] + request["stride"] * line) % 64
            expected.append((request["target"], word, place, part, beat == request["beats"] - 1))
            if error:
                expected_faults.append((request["slot"], address))
    assert delivered == expected
    assert faults == expected_faults
    assert faults


def order(line=0, later_sweep=0, block=0):
    return {"line": line, "later_sweep": later_sweep}, block


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    ("a", "b", "first"),
    [
        (order(), order(), "b"),
        (order(line=1), order(), "b"),
        (order(), order(line=1), "a"),
        (order(line=5), order(line=5), "b"),
        (order(line=9), order(line=1, later_sweep=1), "a"),
        (order(block=1), order(later_sweep=1, line=7), "b"),
        (order(line=9), order(block=1), "a"),
        (order(block=1), order(block=1), "b"),
        (order(block=1), order(block=1, line=1), "a"),
        (order(block=2, line=1), order(block=1), "b"),
        (order(block=1, line=1), order(block=2), "a"),
        (order(block=60), order(later_sweep=1), "b"),
        (order(), order(block=60), "a"),
    ],
)
def test_sim_order(a, b, first, at_once):
    """Of A and B goes first what the array needs earlier, B in a tie, whether they begin at once or not."""
    dut = ReadDma(make_config(32))

    async def bench(ctx):
        walks = {}
        for port, (value, block) in (("a", a), ("b", b)):
            begun = [value | {"begins_block": 1}] * block or [value | {"begins_block": 0}]
            walks[port] = [None] * (64 - len(begun)) + begun
            ctx.set(
                getattr(dut, f"{port}_requests").payload, {"address": 64 if port == "a" else 128, "beats": 1}
            )
        if not at_once:
            walks = {"a": walks["a"] + [None] * 64, "b": [None] * 64 + walks["b"]}
        for begun in zip(walks["a"], walks["b"], strict=True):
            for port, value in zip("ab", begun, strict=True):
                ctx.set(getattr(dut, f"{port}_begin"), value is not None)
                if value is not None:
                    ctx.set(getattr(dut, f"{port}_staged_order"), value)
            await ctx.tick()
            for port, value in zip("ab", begun, strict=True):
                ctx.set(getattr(dut, f"{port}_begin"), 0)
                if value is not None:
                    ctx.set(getattr(dut, f"{port}_order"), value)
        for offered in (("a",), ("b",), ("a", "b")):
            for port in ("a", "b"):
                ctx.set(getattr(dut, f"{port}_requests").valid, port in offered)
            winner = offered[0] if len(offered) == 1 else first
            for port in ("a", "b"):
                assert ctx.get(getattr(dut, f"{port}_requests").ready) == (port == winner)

    simulate(dut, bench)


def test_sim_outstanding():
    """No more requests are accepted than may be outstanding, although the bursts go out at once."""
    config = make_config(32)
    dut = ReadDma(config)
    accepted = 0

    async def bench(ctx):
        nonlocal accepted
        ctx.set(dut.bursts.ready, 1)
        ctx.set(dut.a_requests.valid, 1)
        ctx.set(dut.a_requests.payload, {"address": 64, "beats": 1})
        for _ in range(5 * config.outstanding):
            accepted += (await ctx.tick().sample(dut.a_requests.ready))[-1]

    simulate(dut, bench)
    assert accepted == config.outstanding
