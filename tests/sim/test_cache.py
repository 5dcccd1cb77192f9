"""The cache of built artefacts."""

import errno
import os
import shutil
import threading
from pathlib import Path

import platformdirs
import pytest
from systolith_sim.cache import Cache, default_cache_folder, digest
from systolith_sim.errors import CacheError, CompileError


class Builder:
    """Fills a folder with two files, and counts how often."""

    def __init__(self):
        self.calls = 0

    def __call__(self, folder):
        self.calls += 1
        (folder / "a").write_text("alpha")
        (folder / "b").write_bytes(bytes(1000))


def replace_by_folder(path):
    path.unlink()
    path.mkdir()


def replace_by_file(folder):
    shutil.rmtree(folder)
    folder.write_text("")


def test_digest():
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ab") == digest(b"ab")
    assert len(digest()) == 32


def test_default_cache_folder(monkeypatch):
    monkeypatch.setenv("SYSTOLITH_CACHE", "/elsewhere")
    assert default_cache_folder() == Path("/elsewhere")
    monkeypatch.delenv("SYSTOLITH_CACHE")
    assert default_cache_folder() == platformdirs.user_cache_path("systolith", appauthor=False)


def test_fetch(tmp_path):
    build = Builder()
    for _ in range(2):
        entry = Cache(tmp_path / "new" / "cache").fetch("kind", "key", build)
        assert (entry / "a").read_text() == "alpha"
    assert build.calls == 1
    assert Cache(tmp_path / "new" / "cache").fetch("kind", "other", build) != entry
    assert build.calls == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entry: (entry / "a").write_text("alphA"),
        lambda entry: (entry / "a").write_text(""),
        lambda entry: (entry / "b").unlink(),
        lambda entry: (entry / "manifest.json").unlink(),
        lambda entry: (entry / "manifest.json").write_text("[]"),
        lambda entry: (entry / "manifest.json").write_text("{"),
        lambda entry: (entry / "manifest.json").write_bytes(b"\xff"),
        lambda entry: (entry / "manifest.json").write_text("{}"),
        lambda entry: (entry / "manifest.json").write_text("3"),
        lambda entry: (entry / "other").write_text("not in the manifest"),
        lambda entry: replace_by_folder(entry / "a"),
        lambda entry: replace_by_folder(entry / "manifest.json"),
        replace_by_file,
    ],
)
def test_fetch_corrupt(tmp_path, spoil):
    build = Builder()
    entry = Cache(tmp_path).fetch("kind", "key", build)
    spoil(entry)
    assert Cache(tmp_path).fetch("kind", "key", build) == entry
    assert build.calls == 2
    assert (entry / "a").read_text() == "alpha"
    assert (entry / "b").read_bytes() == bytes(1000)
    Cache(tmp_path).fetch("kind", "key", build)
    assert build.calls == 2


def test_fetch_failed_build(tmp_path):
    def fail(folder):
        (folder / "a").write_text("half")
        raise CompileError("no")

    with pytest.raises(CompileError, match="no"):
        Cache(tmp_path).fetch("kind", "key", fail)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["kind-key.lock"]
    build = Builder()
    Cache(tmp_path).fetch("kind", "key", build)
    assert build.calls == 1


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file or directory", "tool"), ValueError("no")]
)
def test_fetch_error_of_the_builder(tmp_path, error):
    """It is the builder's, not the cache folder's."""

    def fail(folder):
        raise error

    with pytest.raises(type(error)) as caught:
        Cache(tmp_path).fetch("kind", "key", fail)
    assert caught.value is error


def test_fetch_clears_remains(tmp_path):
    """What a killed builder left behind goes; what others are building stays."""
    for name in ("kind-key-dead", "kind-other-alive"):
        (tmp_path / "building" / name / "product").mkdir(parents=True)
    Cache(tmp_path).fetch("kind", "key", Builder())
    assert sorted(path.name for path in (tmp_path / "building").iterdir() if path.is_dir()) == [
        "kind-other-alive"
    ]


def test_fetch_concurrent(tmp_path):
    """Of several builders of one entry one works, and the others wait for it."""
    started, proceed = threading.Event(), threading.Event()
    builds = []

    def build(folder):
        builds.append(folder)
        started.set()
        assert proceed.wait(20)
        (folder / "a").write_text("alpha")

    threads = [threading.Thread(target=Cache(tmp_path).fetch, args=("kind", "key", build)) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert started.wait(20)
    proceed.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert len(builds) == 1


def test_fetch_unusable_folder(tmp_path):
    """Below a regular file nothing can be made, whoever the user is."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(CacheError) as caught:
        Cache(blocker / "cache").fetch("kind", "key", Builder())
    assert str(caught.value) == (
        f"the cache folder {blocker / 'cache'} cannot be used: Not a directory. "
        "Choose another folder with SYSTOLITH_CACHE or the cache argument."
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="permission bits do not bind root")
def test_fetch_read_only_folder(tmp_path):
    build = Builder()
    entry = Cache(tmp_path).fetch("kind", "key", build)
    tmp_path.chmod(0o500)
    try:
        assert Cache(tmp_path).fetch("kind", "key", build) == entry
        with pytest.raises(CacheError, match="cannot be used: Permission denied"):
            Cache(tmp_path).fetch("new", "key", build)
    finally:
        tmp_path.chmod(0o700)


def test_fetch_full(tmp_path):
    def fill(folder):
        with Path("/dev/full").open("wb") as file:
            file.write(bytes(100_000))

    def compiler_fills(folder):
        raise CompileError(f"g++ ended with exit code 1:\ncannot write: {os.strerror(errno.ENOSPC)}")

    for build in (fill, compiler_fills):
        with pytest.raises(
            CacheError, match=r"No space left on device\. Free some space there\. Choose another"
        ):
            Cache(tmp_path).fetch("kind", "key", build)


def test_fetch_whole_needs_no_writing(tmp_path):
    """An entry that is there is used even if the folder of locks has become a file."""
    build = Builder()
    entry = Cache(tmp_path).fetch("kind", "key", build)
    workshops = tmp_path / "building"
    for path in workshops.iterdir():
        path.unlink()
    workshops.rmdir()
    workshops.write_text("")
    assert Cache(tmp_path).fetch("kind", "key", build) == entry
    with pytest.raises(CacheError, match="cannot be used: "):
        Cache(tmp_path).fetch("kind", "other", build)
