"""Where nextpnr has put every cell, and which component of ours it belongs to."""

import collections
import dataclasses
import json
import re
from typing import NamedTuple

from .components import OTHER, component_of, group_of

__all__ = ["PlacedCell", "Placement", "read_placement"]

FANOUT_MAX = 32
"""Endpoints of a net that says something of the cells at it; clocks and resets do not."""

LOST = "$"
"""First character of a name that a tool has made up."""

GRIDS = {
    "lfe5u_12f": (73, 51),
    "lfe5u_25f": (73, 51),
    "lfe5u_45f": (91, 72),
    "lfe5u_85f": (127, 96),
    "up5k": (26, 32),
    "GW1N-9C": (47, 29),
    "GW2A-18C": (56, 55),
}
"""Columns and rows of tiles of a part, by nextpnr's name of it."""

ELEMENTS = "PEs"
FEEDERS = "feeders"

_BEL = re.compile(r"X(?P<x>\d+)/?Y(?P<y>\d+)/(?P<place>.+)")


class PlacedCell(NamedTuple):
    """A cell on the chip.

    Members
    -------
    name : str
    kind : str
        nextpnr's name of its type.
    x, y : int
        The tile.
    place : str
        The place in the tile, such as ``SLICEA.FF0`` or ``lc3``.
    component : str
        As of :func:`~.components.component_of`; empty where it belongs to none.
    group : str
        :data:`ELEMENTS`, :data:`FEEDERS`, or as of :func:`~.components.group_of`.
    """

    name: str
    kind: str
    x: int
    y: int
    place: str
    component: str
    group: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Placement:
    """All cells of a design on their part.

    Parameters
    ----------
    cells : list of PlacedCell
    columns, rows : int
        Tiles of the part; where it is not known, up to the last that is used.
    y_upwards : bool
        Whether tiles are counted from the lower edge.
    """

    cells: list[PlacedCell]
    columns: int
    rows: int
    y_upwards: bool

    def shares(self, resources):
        """What each group takes of each resource.

        Parameters
        ----------
        resources : dict of str to dict of str to int
            As of a :class:`.flow.Flow`.

        Returns
        -------
        dict of str to dict of str to int
        """
        shares = {name: collections.Counter() for name in resources}
        for name, taken in resources.items():
            for cell in self.cells:
                for element, number in taken.items():
                    if _is_kind(cell, element):
                        shares[name][cell.group] += number
        return {name: dict(groups) for name, groups in shares.items()}


def read_placement(file):
    """Read what nextpnr wrote with ``--write``.

    Parameters
    ----------
    file : Path

    Returns
    -------
    Placement

    Raises
    ------
    ValueError
        If it holds no placed design.
    """
    data = json.loads(file.read_text(encoding="utf-8"))
    placed = [
        (module, bels)
        for module in data.get("modules", {}).values()
        if (bels := _bels(module.get("cells", {})))
    ]
    if not placed:
        raise ValueError(f"{file} holds no placed design")
    [(module, bels)] = placed
    components = _components(module)
    cells = []
    for name, match in bels.items():
        component = components.get(name, "")
        cells.append(
            PlacedCell(
                name,
                module["cells"][name]["type"],
                int(match["x"]),
                int(match["y"]),
                match["place"],
                component,
                _group(component),
            )
        )
    settings = module.get("settings", {})
    known = (GRIDS.get(settings.get(key, "").strip()) for key in ("arch.type", "packer.chipdb"))
    used = max(cell.x for cell in cells) + 1, max(cell.y for cell in cells) + 1
    columns, rows = next(filter(None, known), used)
    return Placement(
        cells=cells, columns=columns, rows=rows, y_upwards=settings.get("arch.name", "") == "ice40"
    )


def _is_kind(cell, wanted):
    """Whether a cell is of what a resource counts; Gowin's places tell, which take cells of several types."""
    return cell.kind == wanted or cell.place.rstrip("0123456789") == wanted.rstrip("0123456789")


def _bels(cells):
    """The places of the cells that have one."""
    places = {name: cell["attributes"].get("NEXTPNR_BEL", "") for name, cell in cells.items()}
    return {name: match for name, place in places.items() if (match := _BEL.fullmatch(place))}


def _components(module):
    """The components of the cells: by their names, or where those are lost, by the nets they drive.

    If that fails, too, by their neighbours. What has a name, but in no component, belongs to none.
    """
    cells = module["cells"]
    net_component = {
        bit: component
        for name, net in module["netnames"].items()
        if (component := component_of(name))
        for bit in net["bits"]
    }
    known, drives, ends = {}, collections.defaultdict(list), collections.defaultdict(list)
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            for bit in bits:
                ends[bit].append(name)
            if cell["port_directions"].get(port) == "output":
                drives[name] += bits
    for name in cells:
        telling = (net_component.get(bit) for bit in drives[name] if len(ends[bit]) <= FANOUT_MAX)
        component = component_of(name)
        if not component and name.startswith(LOST):
            component = next(filter(None, telling), None)
        if component is not None:
            known[name] = component
    _spread(known, cells, ends)
    return known


def _spread(known, cells, ends):
    """Give a cell that has none the component of most of its neighbours, as long as there are any."""
    unknown = [
        (name, {bit for bits in cell["connections"].values() for bit in bits})
        for name, cell in cells.items()
        if name not in known
    ]
    while unknown:
        found = {}
        for name, bits in unknown:
            votes = collections.Counter(
                known[end]
                for bit in bits
                if len(ends[bit]) <= FANOUT_MAX
                for end in ends[bit]
                if known.get(end)
            )
            if votes:
                found[name] = votes.most_common(1)[0][0]
        if not found:
            return
        known.update(found)
        unknown = [(name, bits) for name, bits in unknown if name not in found]


def _group(component):
    """The group of a component; of the array's parts, elements and what feeds them."""
    if not component:
        return OTHER
    group = group_of(f"board.{component}.")
    if group != "array":
        return group
    return ELEMENTS if component.startswith("accelerator.array") else FEEDERS
