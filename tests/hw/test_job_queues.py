"""Every unit's part of the descriptors."""

import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hw.streams import members, simulate, small_config, ticks
from systolith_hw.descriptor import ADDRESS_FIELDS
from systolith_hw.job_queues import JobQueues, keep_job
from systolith_hw.messages import DescriptorLayout, Job

UNITS = {
    "loader": ("m", "k", "a_address", "a_stride"),
    "store": ("output", "relu", "d_address", "d_batch_stride"),
    "counter": ("batch",),
}
READ_CYCLES = 5
"""From an end to the first beat of another descriptor, and from that to its dispatch."""


def make(slots):
    config = small_config(descriptor_slots=slots, axi_data_bits=64)
    return JobQueues(config, {name: Job(config, *fields) for name, fields in UNITS.items()})


def expected(layout, descriptor, slot):
    """A job's fields as they are in the descriptor, addresses in beats of eight bytes."""
    fields = {
        name: (descriptor[name] // 8 if name in ADDRESS_FIELDS else descriptor[name])
        & (1 << layout.members[name].width) - 1
        for name in layout.members
        if name != "slot"
    }
    return fields | {"slot": slot}


@pytest.mark.parametrize("busy", [0, 0.8, 0.95])
@pytest.mark.parametrize("slots", [1, 2, 4, 8])
def test_sim_jobs(slots, busy):
    """Units get all jobs in order, whichever of them is slow; a descriptor may be overwritten as is said."""
    dut = make(slots)
    rng = random.Random(slots)

    def noise():
        return {name: rng.getrandbits(shape.width) for name, shape in DescriptorLayout().members.items()}

    descriptors = [noise() for _ in range(40)]
    ended = dict.fromkeys(UNITS, 0)

    async def fetch(ctx):
        for number, descriptor in enumerate(descriptors):
            # With two at most, nothing is read before but one have ended; then each unit has the last job.
            may_be_left = {1: 0, 2: 1}.get(slots, slots - 1)
            while number - min(ended.values()) > may_be_left:
                await ctx.tick()
            await ticks(ctx, READ_CYCLES if slots <= 2 else 1)
            # It comes beat by beat over the one before.
            ctx.set(dut.descriptor, noise())
            await ticks(ctx, READ_CYCLES)
            ctx.set(dut.descriptor, descriptor)
            ctx.set(dut.slot, number % slots)
            ctx.set(dut.dispatch, 1)
            await ctx.tick()
            ctx.set(dut.dispatch, 0)
            ctx.set(dut.slot, rng.randrange(slots))

    def unit(name):
        async def bench(ctx):
            pauses = random.Random(name)
            jobs = getattr(dut, name)
            for number, descriptor in enumerate(descriptors):
                ctx.set(jobs.ready, 1)
                valid = 0
                while not valid:
                    _, _, valid, job = await ctx.tick().sample(jobs.valid, jobs.payload)
                ctx.set(jobs.ready, 0)
                wanted = expected(jobs.payload.shape(), descriptor, number % slots)
                assert members(job) == wanted, f"{name} {number}"
                while pauses.random() < busy:
                    _, _, job = await ctx.tick().sample(jobs.payload)
                    assert slots > 1 or members(job) == wanted, f"{name} {number}: not kept"
                ended[name] = number + 1
            for _ in range(8):
                await ctx.tick()
                assert not ctx.get(jobs.valid)

        return bench

    simulate(dut, fetch, *(unit(name) for name in UNITS))


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_sim_latency(slots):
    """A unit that waits has its job so many cycles after the dispatch."""
    dut = make(slots)

    async def bench(ctx):
        ctx.set(dut.loader.ready, 1)
        for _ in range(3):
            ctx.set(dut.dispatch, 1)
            await ctx.tick()
            ctx.set(dut.dispatch, 0)
            for cycle in range(1, JobQueues.LATENCY + 3):
                assert ctx.get(dut.loader.valid) == (cycle == JobQueues.LATENCY)
                await ctx.tick()

    simulate(dut, bench)


class Keeper(wiring.Component):
    """What a unit keeps of its jobs."""

    def __init__(self, config):
        self._config = config
        layout = Job(config, "m")
        super().__init__({"jobs": In(stream.Signature(layout)), "job": Out(layout)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.job.eq(keep_job(m, self._config, self.jobs))
        return m


def test_keep_job_of_one():
    """Of the only one in flight nothing is kept: its stream goes on saying it."""
    config = small_config(descriptor_slots=1)
    jobs = stream.Signature(Job(config, "m")).create()
    assert keep_job(None, config, jobs) is jobs.payload


@pytest.mark.parametrize("slots", [2, 4])
def test_sim_keep_job(slots):
    """A unit's job is the last that it accepted."""
    dut = Keeper(small_config(descriptor_slots=slots))
    rng = random.Random(slots)

    async def bench(ctx):
        kept = {"m": 0, "slot": 0}
        for _ in range(200):
            shown = {"m": rng.randrange(100), "slot": rng.randrange(slots)}
            valid, ready = rng.getrandbits(1), rng.getrandbits(1)
            ctx.set(dut.jobs.payload, shown)
            ctx.set(dut.jobs.valid, valid)
            ctx.set(dut.jobs.ready, ready)
            assert members(ctx.get(dut.job)) == kept
            await ctx.tick()
            if valid and ready:
                kept = shown

    simulate(dut, bench)
