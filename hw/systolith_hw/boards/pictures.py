"""The pictures that go with a bitstream."""

from .chart import draw_resources
from .floorplan import draw_floorplan
from .placement import read_placement

__all__ = ["FLOORPLAN", "RESOURCES", "draw_pictures"]

FLOORPLAN = "floorplan.png"
RESOURCES = "resources.png"


def draw_pictures(placed, folder, *, table, resources, title=""):
    """Draw where everything is, and what is used.

    Parameters
    ----------
    placed : Path
        What nextpnr wrote with ``--write``.
    folder : Path
        Where :data:`FLOORPLAN` and :data:`RESOURCES` go.
    table : dict of str to (int, int)
        By resource, how many are used and available.
    resources : dict of str to dict of str to int
        As of a :class:`.flow.Flow`.
    title : str
        Such as ``"ulx3s-85f, 8×8"``.

    Raises
    ------
    ValueError
        If there is no placed design.
    """
    placement = read_placement(placed)
    draw_floorplan(placement, folder / FLOORPLAN, title=title)
    draw_resources(table, folder / RESOURCES, shares=placement.shares(resources), title=title)
