"""Which component of ours a cell or net of the netlist belongs to, by its name."""

import re

__all__ = ["component_of", "group_of"]

GROUPS = {
    "array": ("array", "row_feeder", "weight_feeder"),
    "accumulators": ("accumulators",),
    "epilogue": ("epilogue", "row_packer", "stored_rows"),
    "buffers": ("a_buffer", "b_buffer"),
    "DMA": (
        "a_loader",
        "b_loader",
        "read_dma",
        "write_dma",
        "row_writes",
        "store_sequencer",
    ),
    "control": (
        "registers",
        "fetch",
        "jobs",
        "pass_sequencer",
        "completion",
        "counters",
    ),
    "memory": ("memory", "arbiter", "accelerator_bus", "memory_access_slice"),
}
"""What is told apart in pictures and tables, and the accelerator's or the board's components in it."""

LINK = "link"
OTHER = "other"
_GROUP_OF = {component: group for group, components in GROUPS.items() for component in components}
_ELEMENT = re.compile(r"pe_[0-9]+_[0-9]+")
_SUFFIX = re.compile(r"[$].*")
ACCELERATOR = "accelerator"
BOARD = "board"


def component_of(name):
    """The component that a name of the flattened netlist lies in.

    Parameters
    ----------
    name : str
        Such as ``board.accelerator.array.pe_0_1.psum``.

    Returns
    -------
    str
        Such as ``accelerator.array.pe_0_1``; of the board's parts the first name; empty for what belongs to
        none.
    """
    parts = [_SUFFIX.sub("", part) for part in name.lstrip("$\\").split(".")]
    if BOARD not in parts:
        return ""
    parts = parts[parts.index(BOARD) + 1 :]
    if len(parts) < 2:
        return ""
    if parts[0] != ACCELERATOR:
        return parts[0]
    if len(parts) < 3:
        return ACCELERATOR
    deep = parts[1] == "array" and _ELEMENT.fullmatch(parts[2])
    return ".".join(parts[: 3 if deep else 2])


def group_of(name):
    """The group of components that a name lies in: a key of :data:`GROUPS`, ``"link"`` or ``"other"``."""
    parts = component_of(name).split(".")
    if parts == [""]:
        return OTHER
    if parts[0] != ACCELERATOR:
        return _GROUP_OF.get(parts[0], LINK)
    return _GROUP_OF.get(parts[1], "control") if len(parts) > 1 else "control"
