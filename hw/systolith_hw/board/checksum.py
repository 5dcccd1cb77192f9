"""The check of every frame."""

from amaranth.lib.crc import catalog

__all__ = ["FRAME_CRC"]

FRAME_CRC = catalog.CRC32_ISO_HDLC(data_width=8)
"""The link's CRC over bytes: ``.compute()`` in Python, ``.create()`` in hardware."""
