"""What AXI asks of a manager and of an AXI4-Lite subordinate, checked on sampled signals.

Plain Python without a simulator, so that the rules themselves can be tested.
"""

import collections

BOUNDARY_BYTES = 4096
INCR = 1


class Handshake:
    """One channel: once VALID is up it stays, with the same payload, until READY.

    Parameters
    ----------
    name : str
    violations : list of str
        Where what is wrong is reported.
    """

    def __init__(self, name, violations):
        self._name = name
        self._violations = violations
        self._offered = None

    def sample(self, valid, ready, payload):
        """Take the values at one clock edge; return the payload if it is transferred."""
        if self._offered is not None:
            if not valid:
                self._violations.append(f"{self._name}: VALID fell before READY")
            elif payload != self._offered:
                self._violations.append(f"{self._name}: payload changed under back-pressure")
        self._offered = payload if valid and not ready else None
        return payload if valid and ready else None

    def reset(self):
        self._offered = None


class Bursts:
    """The bursts of a manager with one identifier: their shape, their data, their number.

    Parameters
    ----------
    bus_bytes : int
    violations : list of str
    """

    def __init__(self, bus_bytes, violations):
        self._bus_bytes = bus_bytes
        self._violations = violations
        self.reads = []
        self.writes = []
        self.reset()

    def reset(self):
        self._reads_open = collections.deque()
        self._announced = collections.deque()
        self._sent = collections.deque()
        self._beats = 0
        self._unanswered = 0

    def read_address(self, address, length, size, burst):
        self.reads.append(self._check("AR", address, length, size, burst))
        self._reads_open.append(length + 1)

    def read_data(self):
        if not self._reads_open:
            self._violations.append("R: data that nobody asked for were accepted")
            return
        self._reads_open[0] -= 1
        if self._reads_open[0] == 0:
            self._reads_open.popleft()

    def write_address(self, address, length, size, burst):
        self.writes.append(self._check("AW", address, length, size, burst))
        self._announced.append(length + 1)
        self._match()

    def write_data(self, last):
        self._beats += 1
        if last:
            self._sent.append(self._beats)
            self._beats = 0
            self._match()
        elif self._announced and self._beats >= self._announced[0] and not self._sent:
            self._violations.append(f"W: no WLAST at beat {self._beats}")

    def write_response(self):
        self._unanswered -= 1
        if self._unanswered < 0:
            self._violations.append("B: a response that belongs to no write was accepted")

    def finish(self):
        """Report what is still open when nothing should be."""
        if self._reads_open or self._announced or self._sent or self._beats or self._unanswered:
            self._violations.append("transfers are left open")

    def _match(self):
        while self._announced and self._sent:
            announced, sent = self._announced.popleft(), self._sent.popleft()
            self._unanswered += 1
            if announced != sent:
                self._violations.append(f"W: WLAST at beat {sent} of {announced}")

    def _check(self, channel, address, length, size, burst):
        length_bytes = (length + 1) << size
        if burst != INCR:
            self._violations.append(f"{channel}: burst type {burst}")
        if 1 << size != self._bus_bytes:
            self._violations.append(f"{channel}: size {size} is not the bus width")
        if address % self._bus_bytes:
            self._violations.append(f"{channel}: {address:#x} is not aligned")
        if address // BOUNDARY_BYTES != (address + length_bytes - 1) // BOUNDARY_BYTES:
            self._violations.append(f"{channel}: {length_bytes} bytes at {address:#x} cross 4 KiB")
        return address, length_bytes
