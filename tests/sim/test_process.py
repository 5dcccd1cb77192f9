"""Running compilers."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from systolith_sim.errors import CompileError, MissingToolError
from systolith_sim.process import run_all


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid):
    """Whether a process that has been killed is gone soon."""
    for _ in range(500):
        if not is_running(pid):
            return True
        time.sleep(0.01)
    return False


def wait_for(path):
    for _ in range(2000):
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        time.sleep(0.01)
    raise AssertionError(f"{path} did not appear")


def test_run_all(tmp_path):
    commands = [["sh", "-c", f"echo $V > {index}"] for index in range(5)]
    run_all(commands, folder=tmp_path, jobs=2, environment={"V": "value"})
    assert [(tmp_path / str(index)).read_text() for index in range(5)] == ["value\n"] * 5


def test_run_all_failure(tmp_path):
    """A failure kills the others, their children included, and nothing more is started."""
    commands = [
        ["sh", "-c", "sleep 100 & echo $! > child; wait"],
        ["sh", "-c", "while [ ! -s child ]; do sleep 0.01; done; echo out; echo err >&2; exit 3"],
        ["sh", "-c", "echo late > late"],
    ]
    with pytest.raises(CompileError) as caught:
        run_all(commands, folder=tmp_path, jobs=2)
    assert str(caught.value) == "sh ended with exit code 3:\nout\nerr"
    assert ends(wait_for(tmp_path / "child"))
    assert not (tmp_path / "late").exists()


def test_run_all_killed(tmp_path):
    with pytest.raises(CompileError, match="sh was killed by signal 9"):
        run_all([["sh", "-c", "kill -9 $$"]], folder=tmp_path, jobs=1)


def test_run_all_long_message(tmp_path):
    script = "print('x' * 10000); raise SystemExit(1)"
    with pytest.raises(CompileError) as caught:
        run_all([[sys.executable, "-c", script]], folder=tmp_path, jobs=1)
    assert str(caught.value).endswith("x\n…")
    assert len(str(caught.value)) < 4100


def test_run_all_interrupted(tmp_path):
    def interrupt():
        wait_for(tmp_path / "child")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_all([["sh", "-c", "sleep 100 & echo $! > child; wait"]], folder=tmp_path, jobs=1)
    thread.join()
    assert ends(wait_for(tmp_path / "child"))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_run_all_parent_dies(tmp_path, name):
    """However this process ends, neither the commands nor what they started outlive it."""
    script = (
        "import sys; from systolith_sim.process import run_all; run_all("
        "[['sh', '-c', 'sleep 100 & echo $! > child; wait'], "
        "['sh', '-c', 'echo $$ > other; exec sleep 100']], "
        "folder=sys.argv[1], jobs=2)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)])
    try:
        children = [wait_for(tmp_path / file) for file in ("child", "other")]
        assert all(map(is_running, children))
        parent.send_signal(getattr(signal, name))
        assert parent.wait(20) == -getattr(signal, name)
    finally:
        parent.kill()
        parent.wait()
    assert all(map(ends, children))


def test_run_all_missing_program(tmp_path):
    with pytest.raises(MissingToolError) as caught:
        run_all([["no-such-program", "x"]], folder=tmp_path, jobs=1)
    assert str(caught.value) == "no-such-program cannot be started: No such file or directory"


def test_run_all_no_program(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CompileError, match="file cannot be started: Permission denied"):
        run_all([[str(tmp_path / "file")]], folder=tmp_path, jobs=1)


def test_run_all_in_a_thread(tmp_path):
    """Two at a time do not disturb each other."""
    commands = [["sh", "-c", f"sleep 0.2; echo > {index}"] for index in range(3)]
    threads = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        options = {"folder": tmp_path / name, "jobs": 2}
        threads.append(threading.Thread(target=run_all, args=(commands,), kwargs=options))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len([*tmp_path.glob("?/?")]) == 6
