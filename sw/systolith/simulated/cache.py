"""What is made once and kept beside the built models."""

import systolith_sim
from systolith_sim.cache import Cache, digest
from systolith_sim.errors import CacheError

from systolith.errors import TargetUnavailable

__all__ = ["cache_folder", "fetch_cached"]


def cache_folder():
    """Where built models are kept, a path that need not exist."""
    return systolith_sim.default_cache_folder()


def fetch_cached(kind, source, make, *, what, cache=None):
    """The folder of what is made of a file, made first if it is missing or damaged.

    Parameters
    ----------
    kind : str
        What it is; its like lie in one folder.
    source : path
        Whose content decides what is made.
    make : callable
        Called with an empty folder that it fills with files.
    what : str
        Begins the message of an error.
    cache : path or None
        :func:`cache_folder` unless given.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    TargetUnavailable
        If the cache folder cannot be used. What ``make`` raises comes through.
    """
    try:
        return Cache(cache or cache_folder()).fetch(kind, digest(source.read_bytes()), make)
    except CacheError as error:
        raise TargetUnavailable(f"{what}: {error}") from error
