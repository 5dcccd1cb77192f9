"""Built artefacts, kept by content under the user's cache folder."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import filelock
import platformdirs

from .errors import CacheError, CompileError

__all__ = ["Cache", "default_cache_folder", "digest"]

_MANIFEST = "manifest.json"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def default_cache_folder():
    """``$SYSTOLITH_CACHE``, or else the folder for caches of this system's user.

    Returns
    -------
    pathlib.Path
    """
    chosen = os.environ.get("SYSTOLITH_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("systolith", appauthor=False)


def digest(*parts):
    """Thirty-two hexadecimal digits that name the parts, each bytes or text, and their order."""
    state = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()[:32]


class Cache:
    """Folders of files, each named by the hash of what it was built from.

    An entry is written elsewhere and renamed into place, so that it is whole or absent; its files'
    checksums are compared whenever it is fetched. One builder at a time works on an entry, the others
    wait for it. Fetching what is there writes nothing.

    Parameters
    ----------
    folder : path
        Made when first written to.
    """

    def __init__(self, folder):
        self.folder = Path(folder).expanduser().absolute()

    def fetch(self, kind, key, build):
        """The entry's folder, built first if it is missing or corrupt.

        Parameters
        ----------
        kind : str
            What the entry is; a folder of that name holds its like.
        key : str
            From :func:`digest`.
        build : callable
            Called with an empty folder that it fills with regular files.

        Raises
        ------
        CacheError
            If the cache folder cannot be written, or is full.
        BuildError
            From ``build``; whatever else it raises comes through as well.
        """
        entry = self.folder / kind / key
        with contextlib.ExitStack() as stack:
            with self._explained():
                if _is_whole(entry):
                    return entry
                workshop = stack.enter_context(self._locked(kind, key))
                if _is_whole(entry):
                    return entry
                product = workshop / "product"
                product.mkdir()
            with self._full_explained():
                build(product)
            with self._explained():
                _install(product, entry, workshop)
        return entry

    @contextlib.contextmanager
    def _locked(self, kind, key):
        """A new folder to build in, while no one else builds this entry."""
        workshops = self.folder / "building"
        workshops.mkdir(parents=True, exist_ok=True)
        (self.folder / kind).mkdir(exist_ok=True)
        with filelock.FileLock(workshops / f"{kind}-{key}.lock"):
            # Whoever left these behind was killed: the lock is ours.
            for remains in workshops.glob(f"{kind}-{key}-*"):
                shutil.rmtree(remains)
            workshop = Path(tempfile.mkdtemp(prefix=f"{kind}-{key}-", dir=workshops))
            try:
                yield workshop
            finally:
                shutil.rmtree(workshop, ignore_errors=True)

    @contextlib.contextmanager
    def _explained(self):
        """Tell what the cache's own work in its folder ran into."""
        try:
            yield
        except OSError as error:
            raise self._error(error.strerror or str(error), full=error.errno in _FULL) from error

    @contextlib.contextmanager
    def _full_explained(self):
        """Tell that there was no space for what was built; other errors are the builder's."""
        try:
            yield
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise self._error(os.strerror(error.errno), full=True) from error
        except CompileError as error:
            for reason in map(os.strerror, _FULL):
                if reason in str(error):
                    raise self._error(reason, full=True) from error
            raise

    def _error(self, reason, *, full):
        remedy = "Choose another folder with SYSTOLITH_CACHE or the cache argument"
        if full:
            remedy = f"Free some space there. {remedy}"
        return CacheError(f"the cache folder {self.folder} cannot be used: {reason}. {remedy}.")


def _install(product, entry, workshop):
    sums = {path.name: _checksum(path) for path in sorted(product.iterdir())}
    (product / _MANIFEST).write_text(json.dumps(sums, indent=1), encoding="utf-8")
    if entry.exists():
        entry.rename(workshop / "corrupt")
    product.rename(entry)


def _checksum(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_whole(entry):
    """Whether the manifest lists the files that are there, at least one, and their checksums are right."""
    try:
        sums = json.loads((entry / _MANIFEST).read_text(encoding="utf-8"))
        if not isinstance(sums, dict) or not sums:
            return False
        if {path.name for path in entry.iterdir()} != {*sums, _MANIFEST}:
            return False
        return all(_checksum(entry / name) == expected for name, expected in sums.items())
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
    except ValueError:
        # The manifest itself is damaged.
        return False
