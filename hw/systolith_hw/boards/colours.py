"""The colours of the groups of components, the same in every picture."""

from .components import OTHER
from .placement import ELEMENTS, FEEDERS

__all__ = ["GROUP_COLOURS"]

GROUP_COLOURS = {
    ELEMENTS: "#d1495b",
    FEEDERS: "#f2a07b",
    "accumulators": "#edae49",
    "epilogue": "#9b5de5",
    "buffers": "#00798c",
    "memory": "#7cb518",
    "DMA": "#2f6fb7",
    "control": "#6c757d",
    "link": "#1d1d1d",
    OTHER: "#b9a89a",
}
"""By group, in the order in which they are named."""
