"""A line with a board at its other end, in Python: memory behind the link's frames, without delay."""

import struct
import zlib

from systolith_hw.link import BOARD_REGISTERS, LINK_MAGIC, LINK_VERSION

MEMORY_BYTES = 1 << 12
FACTS = {
    "id": LINK_MAGIC,
    "version": LINK_VERSION,
    "memory_bytes": MEMORY_BYTES,
    "clock_hz": 50_000_000,
    "baud": 1_000_000,
    "queue_bytes": 2048,
}


def crc(data):
    return struct.pack("<I", zlib.crc32(data))


class FakeLine:
    """Answers each request when it has wholly come.

    ``on_request`` and ``on_response`` map the bytes of a frame to what comes out of the line. ``answers``
    stops a board that has gone.
    """

    name = "/dev/ttyFAKE"
    is_pseudo_terminal = False

    def __init__(self, facts=FACTS, on_request=bytes, on_response=bytes):
        self.memory = bytearray(MEMORY_BYTES)
        self.facts = facts
        self.on_request, self.on_response = on_request, on_response
        self.closed = False
        self.sent = bytearray()
        self.requests = []
        self.status = 0
        self._towards_host = bytearray()
        self._pending = bytearray()

    def send(self, data):
        self.sent += data
        for frame in self._split(data):
            self._pending += self.on_request(frame)
        self._serve()

    def receive(self, seconds):
        # As long as the host would wait, nothing else happens.
        data = bytes(self._towards_host)
        self._towards_host.clear()
        return data

    def discard(self):
        self._towards_host.clear()

    def close(self):
        self.closed = True

    @staticmethod
    def _split(data):
        """The requests of which these bytes consist; padding is one."""
        while data:
            if data[0] != 0xA5:
                yield data
                return
            size = 13 + (data[2] + 5 if data[1] & 0x80 else 0)
            yield data[:size]
            data = data[size:]

    def _serve(self):
        data = self._pending
        while (start := data.find(b"\xa5")) >= 0 and len(data) >= start + 13:
            del data[:start]
            header = bytes(data[1:9])
            operation, last, sequence, address = struct.unpack("<BBHI", header)
            if crc(header) != bytes(data[9:13]):
                del data[0]
                continue
            size = 13
            if operation & 0x80:
                size += last + 5
                if len(data) < size:
                    return
                payload = bytes(data[13 : size - 4])
                if crc(header + payload) != bytes(data[size - 4 : size]):
                    del data[0]
                    continue
                self._answer(operation, last, sequence, self._write(operation & 3, address, payload))
            else:
                self._answer(operation, last, sequence, self._read(operation & 3, address, last + 1))
            del data[:size]

    def _answer(self, operation, last, sequence, content):
        self.requests.append(sequence)
        body = struct.pack("<BBH", operation, last, sequence) + content + bytes([self.status])
        self._towards_host += self.on_response(b"\x5a" + body + crc(body))

    def _write(self, space, address, payload):
        if space == 0 and not self.status:
            self.memory[address : address + len(payload)] = payload
        return b""

    def _read(self, space, address, length):
        if space == 0:
            return bytes(self.memory[address : address + length])
        names = {register.offset: name for name, register in BOARD_REGISTERS.items()}
        return self.facts.get(names[address], 0).to_bytes(4, "little")
