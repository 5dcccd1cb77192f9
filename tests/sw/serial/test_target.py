"""The target ``serial`` with simulated boards: the same bits and cycles as ``rtl``, and what goes wrong."""

import json
import os
import pty
import re
import signal
import time
import tty

import numpy as np
import pytest
from hypothesis import strategies as st
from sw.cases import check_property
from sw.oracle import gemm
from sw.serial.conftest import ARRAY
from sw.test_matmul import cases, check
from systolith import (
    ArrayConfig,
    BusError,
    ConfigurationMismatch,
    DeviceError,
    LinkError,
    PackedWeight,
    TargetUnavailable,
    UnknownTarget,
    matmul,
    open_device,
    open_pool,
)
from systolith.cli import app
from systolith.report import total
from systolith.serial import link
from systolith.serial.frames import Request
from systolith_hw.link import Space
from systolith_hw.manifest import MANIFEST_NAME, Manifest
from systolith_hw.registers import REGISTERS
from typer.testing import CliRunner

CONFIG = ArrayConfig.parse(ARRAY)

pytestmark = pytest.mark.timeout(900)  # the first builds a board


def random(*shape, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, shape, np.int8)


def test_open(board):
    with open_device(board.target) as device:
        assert device.config == CONFIG
        assert (device.memory_base, device.memory_bytes) == (0, 1 << 16)
        assert device.memory is None
        assert device.target == board.target
        assert device.transport.facts.clock_hz == 4_000_000
        assert repr(device).startswith(f"<{board.target} device {ARRAY}")


def test_manifest(board, tmp_path):
    """The bitstream that a board must run, by its own registers and the accelerator's."""

    def write(**changes):
        manifest = Manifest(
            **{
                "board": "a board",
                "array": ARRAY,
                "config_hash": CONFIG.content_hash,
                "memory_bytes": 1 << 16,
                "clock_hz": 4_000_000,
                "baud": 1_000_000,
                "bitstream": "a.bit",
                "sha256": "0" * 64,
                "seed": 1,
                "fmax_mhz": 5.0,
                "tools": {},
            }
            | changes
        )
        (tmp_path / MANIFEST_NAME).write_text(str(manifest))

    write()
    for path in (tmp_path, tmp_path / MANIFEST_NAME):
        with open_device(board.target, manifest=path) as device:
            assert device.config == CONFIG
    with pytest.raises(ValueError, match=f"^the manifest tells of array {ARRAY}, not 16x16-"):
        open_device(board.target, ArrayConfig(), manifest=tmp_path)
    write(clock_hz=25_000_000, memory_bytes=1 << 15)
    with pytest.raises(
        ConfigurationMismatch,
        match=r"memory_bytes must be 32768, the device reports 65536; clock_hz must be 25000000, the device",
    ):
        open_device(board.target, manifest=tmp_path)
    other = ArrayConfig.parse(f"{ARRAY.replace('2x8', '4x8')}")
    write(array=str(other), config_hash=other.content_hash)
    with pytest.raises(ConfigurationMismatch, match="rows must be 4, the device reports 2"):
        open_device(board.target, manifest=tmp_path)
    # Nothing of that keeps the port.
    open_device(board.target, CONFIG, manifest=None).close()


def test_memory(device):
    data = random(3000).view(np.uint8)
    device.write(777, data)
    np.testing.assert_array_equal(device.read(777, data.size), data)
    assert device.read(777, 0).size == 0


def test_matmul(device):
    """Any GEMM, exact to the bit."""
    sizes = st.integers(1, 24)
    check_property(lambda case: check(device, case), cases(sizes), examples=12)


def test_queue_beyond_the_ring(board):
    """More products than the ring has slots, run back to back."""
    products = [(random(5, 9, seed=i), random(9, 6, seed=100 + i)) for i in range(1, 11)]
    with open_device(board.target, ring_slots=4) as device, device.queue() as queue:
        pending = [queue.matmul(a, b) for a, b in products]
        queue.run()
        for (a, b), each in zip(products, pending, strict=True):
            np.testing.assert_array_equal(each.result(), gemm(a, b))


def test_counters(device):
    """The array computes for as long as on ``rtl``; only the memory answers at another time."""
    a, b = random(16, 40), random(24, 40)
    weight = PackedWeight(b, device=device, b_layout="nk")
    for _ in range(2):
        matmul(a, weight)
    with open_device("rtl", CONFIG) as rtl:
        matmul(a, b, b_layout="nk", device=rtl)
        wanted = rtl.trace[0].counters
    for record in device.trace:
        assert record.counters.compute == wanted.compute
        assert sum(record.counters.parts.values()) == record.counters.total
        assert record.counters.total <= wanted.total
    # Nothing of the link is in it.
    assert device.trace[0].counters == device.trace[1].counters
    row = total(device.trace)
    assert row.cycle_source == "counted by the board" and row.simulation_hz is None
    assert 0 < row.seconds < 60


@pytest.mark.parametrize("rate", ["1e-3", "3e-3"])
def test_bad_line(start_board, rate):
    """Lost, doubled, changed and late bytes never make a wrong result."""
    board = start_board("--array", ARRAY, "--error-rate", rate, "--seed", "3")
    with open_device(board.target) as device:
        check_property(lambda case: check(device, case), cases(st.integers(1, 16)), examples=6)
        assert device.transport.repeated > 0
    assert board.end() == 0


def test_line_that_is_too_bad(start_board):
    board = start_board("--array", ARRAY, "--error-rate", "0.3")
    with pytest.raises((TargetUnavailable, LinkError)), open_device(board.target) as device:
        matmul(random(16, 16), random(16, 16), device=device)
    board.end()


def test_stale_state_is_reset(board):
    """A device that was left with descriptors, a ring elsewhere and interrupts is as new when opened."""
    with open_device(board.target) as left:
        a, b = random(24, 30), random(30, 20)
        matmul(a, b, device=left)
        left.submit(left.trace[0].descriptors * 3)
    with open_device(board.target) as device:
        assert device.read_register("ring_head") == 0
        np.testing.assert_array_equal(matmul(a, b, device=device), gemm(a, b))


def test_reset(device):
    """A device whose descriptors fail, and one that is reset in the middle, work on."""
    a, b = random(8, 12), random(12, 8)
    matmul(a, b, device=device)
    (descriptor,) = device.trace[0].descriptors
    device.submit([descriptor] * 5)
    device.reset()
    np.testing.assert_array_equal(matmul(a, b, device=device), gemm(a, b))
    beyond = type(descriptor)(**{**vars_of(descriptor), "a_address": 1 << 20})
    device.submit([beyond])
    with pytest.raises(BusError, match=r"^bus error: the read at address 0x00100000 failed$"):
        device.wait()
    np.testing.assert_array_equal(matmul(a, b, device=device), gemm(a, b))


def vars_of(descriptor):
    return {name: getattr(descriptor, name) for name in descriptor.__dataclass_fields__}


def test_device_that_hangs(board):
    """A device that does not complete is told of within the cycles that it has."""
    with open_device(board.target, max_cycles=20_000) as device:
        matmul(random(4, 4), random(4, 4), device=device)
        device.transport.write_register(REGISTERS["control"].offset, 0)
        device.submit(device.trace[0].descriptors)
        with pytest.raises(DeviceError, match=r"no interrupt within 20000 cycles.* requests were sent again"):
            device.wait()
        device.reset()
        matmul(random(4, 4), random(4, 4), device=device)


def test_other_configuration(board):
    config = ArrayConfig.parse("4x4")
    with pytest.raises(ConfigurationMismatch, match="a_buffer_lines must be 4096, the device reports 16"):
        open_device(board.target, config)
    # The port was given back.
    open_device(board.target, CONFIG).close()


def test_wrong_ring_slots(board):
    with pytest.raises(ValueError, match="ring_slots must be a power of two"):
        open_device(board.target, ring_slots=3)
    open_device(board.target).close()


def test_port_in_use(board, device):
    with pytest.raises(TargetUnavailable, match=r"^the port /dev/pts/\d+ is in use by another program$"):
        open_device(board.target)


def test_no_port(tmp_path):
    missing = tmp_path / "ttyUSB7"
    message = f"^there is no port {missing}; those that are there: "
    with pytest.raises(TargetUnavailable, match=message):
        open_device(f"serial:{missing}")


def test_no_serial_port(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(TargetUnavailable, match=f"^{file} is no serial port$"):
        open_device(f"serial:{file}")


def test_no_permission(monkeypatch):
    serial = pytest.importorskip("serial")

    def refuse(*arguments, **options):
        raise serial.SerialException(13, "could not open port: [Errno 13] Permission denied")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(TargetUnavailable, match=r"^no permission to use /dev/ttyUSB0: .* dialout \$USER"):
        open_device("serial:/dev/ttyUSB0")


def test_no_pyserial(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "serial", None)
    message = r"^target serial needs the Python module serial: pip install 'systolith\[serial\]'$"
    with pytest.raises(TargetUnavailable, match=message):
        open_device("serial:/dev/ttyUSB0")


@pytest.mark.parametrize("argument", [",115200", "/dev/ttyS0,", "/dev/ttyS0,fast", "/dev/ttyS0,0", "a,1,2"])
def test_wrong_argument(argument):
    message = re.escape(
        f"target must be serial:PORT[,BAUD], BAUD from 1 to 999999999, not 'serial:{argument}'"
    )
    with pytest.raises(UnknownTarget, match=f"^{message}$"):
        open_device(f"serial:{argument}")


def test_nobody_answers():
    """A port without a board, or with another rate."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        port = os.ttyname(slave)
        with pytest.raises(TargetUnavailable, match=f"^no answer from {port} at 115200 baud: is it a board"):
            open_device(f"serial:{port},115200")
    finally:
        os.close(master)
        os.close(slave)


def test_cable_pulled(start_board, tmp_path):
    """In the middle of a GEMM: an error, and the device can be opened again when the board is back."""
    path = tmp_path / "board"
    board = start_board("--array", ARRAY, "--link", str(path))
    target = f"serial:{path}"
    a, b = random(60, 60), random(60, 60)
    with open_device(target) as device:
        write = device.transport.write
        count = 0

        def pull(address, data):
            nonlocal count
            count += 1
            if count == 2:
                assert board.end() == 0
                assert not path.is_symlink()
            write(address, data)

        device.transport.write = pull
        with pytest.raises(LinkError, match=f"^the port {path} failed: .* Open the device again$"):
            matmul(a, b, device=device)
        with pytest.raises(LinkError):
            device.reset()
    start_board("--array", ARRAY, "--link", str(path))
    with open_device(target) as device:
        np.testing.assert_array_equal(matmul(a, b, device=device), gemm(a, b))


def test_host_that_left_in_the_middle(board):
    """Half a request, and answers that nobody has read, do not disturb who comes next."""
    port = os.open(board.facts["port"], os.O_RDWR | os.O_NOCTTY)
    read = Request(Space.MEMORY, 0, 256)
    write = Request(Space.MEMORY, 0, 256, bytes(256)).pack(0)
    os.write(port, b"".join(read.pack(sequence) for sequence in range(100)) + write[:100])
    os.close(port)
    a, b = random(9, 20), random(20, 7)
    with open_device(board.target) as device:
        np.testing.assert_array_equal(matmul(a, b, device=device), gemm(a, b))


def test_board_that_stops(start_board, monkeypatch):
    """One that says nothing any more is told of after a bounded time, and works on when it is back."""
    monkeypatch.setattr(link, "SILENCE_MAX_SECONDS", 0.2)
    board = start_board("--array", ARRAY)
    a, b = random(40, 60), random(60, 40)
    with open_device(board.target) as device:
        weight = PackedWeight(b, device=device)
        board.process.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        with pytest.raises(LinkError, match=r"did not answer the last 16 requests|takes no bytes"):
            matmul(a, weight)
        assert time.monotonic() - begin < 30
        board.process.send_signal(signal.SIGCONT)
        device.reset()
        np.testing.assert_array_equal(matmul(a, weight), gemm(a, b))
    assert board.end(signal.SIGTERM) == 0


def test_no_pool(board):
    with pytest.raises(ValueError, match="cannot be pooled: the host does not see its memory"):
        open_pool(board.target)


def test_program(board):
    """The command line's targets."""
    arguments = ["gemm", "-m", "9", "-k", "20", "-n", "7", "--target", board.target]
    plain = CliRunner().invoke(app, arguments)
    assert plain.exit_code == 0
    assert (
        f"on {board.target}\narray {ARRAY}\n" in plain.stdout
        and "cycles counted by the board" in plain.stdout
    )
    assert "in the simulator" not in plain.stdout
    data = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert (data["mismatches"], data["array"], data["target"]) == (0, ARRAY, board.target)
    other = CliRunner().invoke(app, [*arguments, "--array", "4x4"])
    assert other.exit_code == 1 and "the device is of another configuration" in other.stderr
    assert other.stderr.endswith("; without --array the device's own is taken\n")
    several = CliRunner().invoke(app, [*arguments, "--devices", "2"])
    assert several.exit_code == 2 and "cannot be pooled" in several.stderr
    timing = CliRunner().invoke(app, [*arguments, "--mem-latency", "5"])
    assert timing.exit_code == 2 and "has no memory timing" in timing.stderr
