"""A device made of several."""

import dataclasses
import os
import weakref

from systolith_hw import Code, Counters, Reject

from systolith.device import Device
from systolith.errors import DeviceError
from systolith.memory import round_up
from systolith.opening import open_device
from systolith.records import PoolCompletion, Share, add_counters

from .memory import PAGE_BYTES, create_memory, map_memory
from .schedule import plan
from .worker import Worker

__all__ = ["Pool", "open_pool"]

_COUNTERS = tuple(field.name for field in dataclasses.fields(Counters))


class Pool(Device):
    """Several equal devices over one memory, used like one :class:`Device`; made by :func:`open_pool`.

    What is submitted together is spread over the devices when it is waited for: the longest GEMMs first,
    each to the device that is predicted to be free first. Where that leaves a device idle for long, GEMMs
    are cut along the batch, M or N into parts for several devices. Results do not depend on it. Every device
    works with the timing of a memory of its own.

    Each device runs in a process of its own, a worker. If one ends or fails, the GEMMs of which it ran a
    part fail with :class:`WorkerDied` or with what the device ended with, and all others have their results.
    A worker that has ended gets no more work until :meth:`restart` or :meth:`reset`; memory is not lost with
    it. Workers end with the process that opened the pool, however that ends.

    Like any device not safe for concurrent use by several threads; a fork of the process must not use it.

    Members
    -------
    workers : tuple of Worker
        The processes, by number of the device.
    trace : Trace
        One record per GEMM. :attr:`Trace.cycles` adds the devices up, :attr:`Trace.makespan_cycles` is the
        time until the last was done, :attr:`Trace.device_cycles` tells each.
    """

    def __init__(self, target, config, *, memory_base, memory_bytes, private_bytes, workers, options):
        self.target = target
        self.workers = ()
        try:
            descriptor = create_memory(memory_bytes)
            self._close_memory = weakref.finalize(self, os.close, descriptor)
            memory = map_memory(descriptor, memory_bytes)
        except OSError as error:
            raise DeviceError(f"the pool gets no memory of {memory_bytes} bytes: {error}") from error
        super().__init__(config, memory_base=memory_base, memory_bytes=memory_bytes, memory=memory)
        if private_bytes:
            self.allocate(private_bytes)
        self._queued = []
        self._runs = 0
        setup = target, config, options | {"memory_bytes": memory_bytes}, private_bytes
        try:
            for index in range(workers):
                self.workers += (Worker(index, descriptor, setup),)
            for worker in self.workers:
                worker.wait_ready()
        except BaseException:
            self.close()
            raise

    def __repr__(self):
        alive = sum(worker.alive for worker in self.workers)
        state = "closed" if self.closed else f"{alive} alive, {self.free_bytes} bytes free"
        return f"<pool of {len(self.workers)} {self.target} devices {self.config}: {state}>"

    def restart(self, index):
        """Start a worker again, in a new process; what it was running is lost.

        Parameters
        ----------
        index : int
            Number of the device.

        Raises
        ------
        IndexError
            If there is no such worker.
        DeviceError
            If its device cannot be opened.
        """
        self.check_open()
        if not 0 <= index < len(self.workers):
            raise IndexError(f"the pool has the workers 0 to {len(self.workers) - 1}, not {index}")
        worker = self.workers[index]
        worker.end()
        worker.start()
        worker.wait_ready()

    def _submit(self, descriptors):
        self._check_idle()
        self._queued.extend(descriptors)

    def _collect(self):
        self._check_idle()
        queued = tuple(self._queued)
        if not queued:
            return []
        alive = [worker for worker in self.workers if worker.alive]
        if not alive:
            raise DeviceError("no worker of the pool is alive: reset() starts them again")
        portions = plan(queued, self.config, len(alive))
        for worker, portion in zip(alive, portions, strict=True):
            if portion.indices:
                worker.begin(portion.framed, len(portion.indices))
        parts = [[] for _ in queued]
        times = []
        for worker, portion in zip(alive, portions, strict=True):
            if portion.indices:
                ended = self._parts(worker, portion)
                times.append(sum(seconds for _, seconds in ended))
                for index, part in zip(portion.indices, ended, strict=True):
                    parts[index].append(part)
        # Not before: what is interrupted has not ended.
        self._queued = []
        self._runs += 1
        # They ran at the same time: what each took is its part of what the longest did.
        scale = max(times) / sum(times) if any(times) else 0.0
        return [(descriptor, *_merge(each, scale)) for descriptor, each in zip(queued, parts, strict=True)]

    def _check_idle(self):
        if any(worker.busy for worker in self.workers):
            raise DeviceError("the pool was interrupted; reset it first")

    def _parts(self, worker, portion):
        """How every part of a worker's portion ended: a PoolCompletion and seconds."""
        ended, error = worker.finish()
        if error is not None:
            share = Share(self._runs, worker.index, None)
            lost = PoolCompletion(
                code=Code.PENDING,
                reason=Reject.NONE,
                fault_address=0,
                tag=0,
                counters=None,
                shares=(share,),
                error=error,
            )
            return [(lost, 0.0)] * len(portion.indices)
        return [(self._completion(worker.index, *each), seconds) for *each, seconds in ended]

    def _completion(self, device, code, reason, fault_address, tag, counts):
        counters = None if counts is None else Counters(**dict(zip(_COUNTERS, counts, strict=True)))
        return PoolCompletion(
            code=Code(code),
            reason=Reject(reason),
            fault_address=fault_address,
            tag=tag,
            counters=counters,
            shares=(Share(self._runs, device, None if counters is None else counters.total),),
        )

    def _reset(self):
        self._queued = []
        for worker in self.workers:
            if worker.busy or worker.starting or not worker.alive:
                # Its device is open by the time that it is given work.
                worker.end()
                worker.start()

    def _close(self):
        for worker in self.workers:
            worker.end()
        self._close_memory()


def _merge(parts, scale):
    """How a descriptor ended, from how its parts did: a PoolCompletion and seconds."""
    completions = [completion for completion, _ in parts]
    seconds = scale * sum(seconds for _, seconds in parts)
    failed = [completion for completion in completions if completion.code is not Code.OK]
    if len(completions) == 1:
        return completions[0], seconds
    merged = dataclasses.replace(
        (failed or completions)[0],
        counters=add_counters(completion.counters for completion in completions),
        shares=tuple(share for completion in completions for share in completion.shares),
    )
    return merged, seconds


def open_pool(target="rtl", config=None, *, workers=2, **options):
    """Open several devices as one, each in a process of its own.

    The same GEMMs are spread over two simulated accelerators by

    .. code-block:: python

        with systolith.open_pool("rtl", workers=2) as pool, pool.queue() as queue:
            results = [queue.matmul(a, b) for a, b in products]

    and one large GEMM by ``systolith.matmul(a, b, device=pool)``. Packed weights and offloaded models
    work as with any device.

    Parameters
    ----------
    target : str
        A target whose memory the host can see.
    config : ArrayConfig or None
        Of every device; the default configuration unless given.
    workers : int
        Devices and processes. More than there are processor cores make nothing faster.
    **options
        As for :func:`systolith.open_device`; ``memory_bytes`` is what the devices share.

    Returns
    -------
    Pool

    Raises
    ------
    UnknownTarget, TargetUnavailable, TypeError
        As :func:`systolith.open_device`.
    ValueError
        If ``workers`` is less than 1 or the host cannot see the target's memory.
    DeviceError
        If the system refuses the memory or a process.
    WorkerDied
        If a process ends before its device is open.
    """
    if type(workers) is not int or workers < 1:
        raise ValueError(f"workers must be a positive int, not {workers!r}")
    if "memory" in options:
        raise TypeError("a pool makes its own memory: give memory_bytes")
    # Opened here first: it builds the model once, and tells what is wrong with the options.
    with open_device(target, config, **options) as device:
        if device.memory is None:
            raise ValueError(f"target {target} cannot be pooled: the host does not see its memory")
        taken = device.memory_bytes - device.free_bytes
        facts = {"memory_base": device.memory_base, "memory_bytes": device.memory_bytes}
    return Pool(
        target,
        device.config,
        **facts,
        private_bytes=round_up(taken, PAGE_BYTES),
        workers=workers,
        options={name: value for name, value in options.items() if name != "progress"},
    )
