"""What a worker's process does: one device, opened and run for the pool."""

import contextlib
import functools
import os
import select
import socket
import sys
import threading

from systolith_hw import Descriptor
from systolith_hw.descriptor import RECORD_BYTES

from systolith.errors import DeviceError
from systolith.opening import open_device

from .channel import Channel, frame
from .memory import map_memory

__all__ = ["main"]

LOOK_SECONDS = 1
"""Between two looks whether the parent lives: its socket tells at once, unless a fork of it lives on."""


def main(socket_descriptor, memory_descriptor, parent):
    """Run what comes from the parent until it hangs up.

    Parameters
    ----------
    socket_descriptor : int
        To the parent.
    memory_descriptor : int
        Of the shared memory.
    parent : int
        Its process.
    """
    watch = threading.Thread(target=_end_with_parent, args=(socket_descriptor, parent), daemon=True)
    watch.start()
    channel = Channel(socket.socket(fileno=socket_descriptor))
    # The parent has closed the pool, or ended.
    with contextlib.suppress(EOFError, ConnectionError):
        _serve(channel, memory_descriptor)


def _end_with_parent(descriptor, parent):
    """End this process as soon as the parent has hung up or ended, whatever is being run."""
    poll = select.poll()
    poll.register(descriptor, 0)  # hang-ups are told without being asked for
    while os.getppid() == parent and not poll.poll(1000 * LOOK_SECONDS):
        pass
    os._exit(0)


def _serve(channel, memory_descriptor):
    target, config, options, private_bytes = channel.receive()
    memory = map_memory(memory_descriptor, options["memory_bytes"], private_bytes=private_bytes)
    try:
        device = open_device(target, config, memory=memory, **options)
    except DeviceError as error:
        channel.send(frame(error))
        return
    channel.send(frame(None))
    while True:
        packed = channel.receive()
        try:
            device.submit([_unpack(record) for record in _records(packed)])
            ended = device.collect()
        except DeviceError as error:
            channel.send(frame(([], error)))
            device.reset()
        else:
            channel.send(frame(([_plain(*each) for each in ended], None)))


def _records(packed):
    return [packed[start : start + RECORD_BYTES] for start in range(0, len(packed), RECORD_BYTES)]


@functools.lru_cache(maxsize=4096)
def _unpack(record):
    return Descriptor.unpack(record)


def _plain(_, completion, seconds):
    """How a descriptor ended, in what is quick to pickle."""
    counters = completion.counters
    return (
        int(completion.code),
        int(completion.reason),
        completion.fault_address,
        completion.tag,
        None if counters is None else tuple(vars(counters).values()),
        seconds,
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
