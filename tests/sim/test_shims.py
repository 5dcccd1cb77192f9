"""The compressor that stands in for LZ4's."""

import random
import subprocess

import pytest
from sim.fst import decompress_lz4
from systolith_sim.verilation import HARNESS

PROGRAM = """
#include <lz4.h>
#include <cstdio>
int main() {
    std::vector<char> from(1 << 20);
    const int length = fread(from.data(), 1, from.size(), stdin);
    std::vector<char> to(LZ4_compressBound(length));
    const int size = LZ4_compress_default(from.data(), to.data(), length, to.size());
    if (size > static_cast<int>(to.size())) return 1;
    fwrite(to.data(), 1, size, stdout);
}
"""


@pytest.fixture(scope="module")
def compressor(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lz4")
    (folder / "main.cpp").write_text(PROGRAM)
    flags = ["-std=c++17", "-O1", "-fsanitize=address,undefined", f"-I{HARNESS / 'shims'}"]
    subprocess.run(["g++", *flags, "main.cpp", "-o", "compress"], cwd=folder, check=True)
    return folder / "compress"


DRAW = random.Random(1)
TEXTS = {
    "empty": b"",
    "one": b"x",
    "short": bytes(12),
    "first match": bytes(13),
    "zeros": bytes(100_000),
    "noise": DRAW.randbytes(100_000),
    "words": b"".join(DRAW.choice([b"clk", b"m_axi_", b"data\0", b"\1\2"]) for _ in range(20_000)),
    "far": DRAW.randbytes(64) + DRAW.randbytes(65_535 - 64) + bytes(range(64)),
    **{
        f"period {period}": DRAW.randbytes(period) * (140_000 // period)
        for period in (1, 3, 270, 65_535, 65_536)
    },
    **{f"literals {size}": DRAW.randbytes(size) + bytes(300) for size in (14, 15, 16, 269, 270, 271)},
}


@pytest.mark.parametrize("name", TEXTS)
def test_lz4(compressor, name):
    text = TEXTS[name]
    block = subprocess.run([compressor], input=text, capture_output=True, check=True).stdout
    assert decompress_lz4(block) == text
    if name in ("zeros", "words", "period 270", "period 65535"):
        assert len(block) < 0.7 * len(text)
