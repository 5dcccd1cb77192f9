"""A chart of what a design uses of its part."""

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .colours import GROUP_COLOURS
from .components import OTHER

__all__ = ["draw_resources"]

WIDTH_INCHES = 8.0
BAR_INCHES = 0.42
MARGIN_INCHES = 1.3
DOTS_PER_INCH = 150


def draw_resources(table, path, *, shares=None, title=""):
    """Draw a bar for each resource, as part of what the part has.

    Parameters
    ----------
    table : dict of str to (int, int)
        By resource, how many are used and available.
    path : Path
        The picture; its suffix says which kind.
    shares : dict of str to dict of str to int, or None
        By resource and group of components, how many are used; what they leave of the use is other's.
    title : str
    """
    names = [name for name, (_, available) in table.items() if available]
    height = BAR_INCHES * len(names) + MARGIN_INCHES
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    drawn = {}
    for position, name in enumerate(names):
        used, available = table[name]
        start = 0.0
        for group, count in _parts(used, (shares or {}).get(name)).items():
            width = 100 * count / available
            axes.barh(position, width, left=start, color=GROUP_COLOURS[group], height=0.65)
            start += width
            drawn[group] = GROUP_COLOURS[group]
        axes.text(
            start + 1,
            position,
            f"{used:,} of {available:,} ({100 * used / available:.0f} %)",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 130)
    axes.set_xticks(range(0, 101, 25))
    axes.axvline(100, color="#222222", linewidth=0.8)
    axes.set_xlabel("% of the part")
    if title:
        axes.set_title(title, fontsize=10, loc="left")
    if shares:
        handles = [
            Patch(facecolor=colour, label=group) for group, colour in GROUP_COLOURS.items() if group in drawn
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8, frameon=False)
    figure.savefig(path)


def _parts(used, shares):
    """Group to count, in the order of the colours; together what is used."""
    if not shares:
        return {"DMA": used}
    parts = {group: shares.get(group, 0) for group in GROUP_COLOURS if group != OTHER}
    parts[OTHER] = max(0, used - sum(parts.values()))
    return {group: count for group, count in parts.items() if count}
