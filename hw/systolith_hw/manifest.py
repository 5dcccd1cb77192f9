"""What a bitstream is, told beside it, and how to see that a board runs that one."""

import dataclasses
import json
import typing

from .config import ArrayConfig
from .link import LINK_MAGIC, LINK_VERSION

__all__ = ["MANIFEST_NAME", "Manifest"]

MANIFEST_NAME = "manifest.json"
"""The file beside a bitstream."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """One bitstream.

    Parameters
    ----------
    board : str
    array : str
        The text form of the configuration.
    config_hash : str
        Its content hash.
    memory_bytes, clock_hz, baud : int
        As the board's registers report them.
    bitstream, sha256 : str
        The file and its contents' hash.
    seed : int
        Of placement and routing.
    fmax_mhz : float
        What the tools say that the clock may be.
    tools : dict of str to str
        Distribution to version.
    """

    board: str
    array: str
    config_hash: str
    memory_bytes: int
    clock_hz: int
    baud: int
    bitstream: str
    sha256: str
    seed: int
    fmax_mhz: float
    tools: dict[str, str]

    @classmethod
    def parse(cls, text):
        """Make a manifest from the text form of :meth:`__str__`.

        Raises
        ------
        ValueError
            If ``text`` is none, or of an array that this version makes differently.
        """
        try:
            manifest = cls(**json.loads(text))
            manifest._check_types()
            config = ArrayConfig.parse(manifest.array)
        except (TypeError, ValueError) as error:
            raise ValueError(f"this is no manifest of a bitstream: {error}") from None
        if config.content_hash != manifest.config_hash:
            raise ValueError(
                f"the bitstream's {manifest.array} is {manifest.config_hash}, but this version's is "
                f"{config.content_hash}: build the bitstream again"
            )
        return manifest

    def __str__(self):
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    def _check_types(self):
        for field in dataclasses.fields(self):
            kind = typing.get_origin(field.type) or field.type
            if not isinstance(getattr(self, field.name), (int, float) if kind is float else kind):
                raise TypeError(f"{field.name} must be {kind.__name__}")

    def board_registers(self):
        """What a board with this bitstream answers, by the name of its own register.

        The accelerator's registers follow from :attr:`array`.
        """
        return {
            "id": LINK_MAGIC,
            "version": LINK_VERSION,
            "memory_bytes": self.memory_bytes,
            "clock_hz": self.clock_hz,
            "baud": self.baud,
        }
