"""What the simulated memory still owes the device."""

import dataclasses

from .timing import CHANNELS

__all__ = ["Outstanding"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outstanding:
    """The bus transactions that have begun and not ended.

    Members
    -------
    reads : int
        Bursts whose address was taken and whose last beat was not.
    read_address : int
        Address of the oldest one's next beat.
    read_beats : int
        Beats of the oldest one still to come.
    writes : int
        Bursts whose address was taken and whose response was not.
    write_address : int
        Address of the oldest one.
    write_beats : int
        Beats still to come of the first burst that lacks some.
    early_beats : int
        Beats of write data taken before their address.
    waiting : tuple of str
        Channels on which valid is high and the other side is not ready.
    """

    reads: int
    read_address: int
    read_beats: int
    writes: int
    write_address: int
    write_beats: int
    early_beats: int
    waiting: tuple

    @classmethod
    def from_raw(cls, raw):
        """From the structure that a model fills in."""
        values = {name: getattr(raw, name) for name, _ in raw._fields_}
        bits = values.pop("waiting")
        return cls(**values, waiting=tuple(name for bit, name in enumerate(CHANNELS) if bits >> bit & 1))

    def __str__(self):
        parts = []
        if self.reads:
            parts.append(f"{self.reads} reads ({self.read_beats} beats due from 0x{self.read_address:08x})")
        if self.writes:
            parts.append(f"{self.writes} writes (the oldest to 0x{self.write_address:08x})")
        if self.write_beats:
            parts.append(f"{self.write_beats} beats of write data missing")
        if self.early_beats:
            parts.append(f"{self.early_beats} beats of write data without an address")
        if self.waiting:
            parts.append(f"waiting on {', '.join(self.waiting)}")
        return "; ".join(parts) or "no bus transaction"
