"""The compiled model, kept in the cache folder from its first use on."""

import contextlib
import functools
import importlib.metadata
from pathlib import Path

import filelock

from systolith_sim.cache import default_cache_folder, digest
from systolith_sim.errors import CacheError

__all__ = ["is_compiled", "load_model"]

_SOURCES = Path(__file__).parent / "kernel"


@functools.cache
def load_model(folder=None):
    """The function that runs the model. Its first call compiles it if it is not in the cache.

    Parameters
    ----------
    folder : path or None
        The cache folder; ``None`` means :func:`~systolith_sim.cache.default_cache_folder`.

    Returns
    -------
    callable
        :func:`.kernel.model.predict` but for its first two arguments. Raises CacheError as well.

    Raises
    ------
    CacheError
        If the cache folder cannot be used.
    """
    place = _place(folder)
    # Loading numba takes half a second.
    from .kernel import model  # noqa: PLC0415

    with _explained(place):
        place.mkdir(parents=True, exist_ok=True)
        run = _cached(model.run, place)

    compiled = False
    # Fresh memory costs more than a small prediction. Threads that predict at the same time have their own.
    spare = [model.make_memory()]

    def run_model(*arguments):
        nonlocal compiled
        memory = spare.pop() if spare else model.make_memory()
        # Two processes that need it compile it once.
        with contextlib.nullcontext() if compiled else _alone(place):
            results = model.predict(run, memory, *arguments)
        compiled = True
        spare.append(memory)
        return results

    return run_model


def is_compiled(folder=None):
    """Whether the model is in the cache, so that :func:`load_model`'s first call does not take long."""
    return any(_place(folder).rglob("*.nbc"))


def _place(folder):
    """Where in the cache folder the model of these sources and this numba belongs."""
    # Numba looks for changes in the compiled function's own file only, not in what it calls.
    sources = [source.read_bytes() for source in sorted(_SOURCES.glob("*.py"))]
    key = digest(importlib.metadata.version("numba"), *sources)
    return Path(folder or default_cache_folder()).expanduser().absolute() / "cycles" / key


def _cached(function, folder):
    """A function that numba compiles when it is first called, and keeps in a folder."""
    import numba  # noqa: PLC0415

    from .kernel.base import OPTIONS  # noqa: PLC0415

    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    finally:
        numba.config.CACHE_DIR = before


@contextlib.contextmanager
def _alone(place):
    """While no other process compiles."""
    with _explained(place), filelock.FileLock(place / "lock"):
        yield


@contextlib.contextmanager
def _explained(place):
    """Tell what using the cache folder ran into."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"the cache folder {place} cannot be used: {error.strerror or error}. "
            "Choose another folder with SYSTOLITH_CACHE."
        ) from error
