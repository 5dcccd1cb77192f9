"""Loading a bitstream onto a board."""

import hashlib
import shutil
import subprocess

from systolith_hw.manifest import MANIFEST_NAME, Manifest

from systolith.errors import TargetUnavailable

from .boards import load_boards
from .errors import BuildFailed

__all__ = ["program_board"]

LOADER = "openFPGALoader"


def program_board(name, folder):
    """Load a board with the bitstream that was built for it.

    Parameters
    ----------
    name : str
    folder : Path
        Where it was built.

    Returns
    -------
    dict

    Raises
    ------
    TargetUnavailable
        If openFPGALoader is not installed.
    BuildFailed
        If there is no whole bitstream for the board there, or openFPGALoader fails.
    """
    boards = load_boards()
    board = boards.find_board(name)
    if board.flow not in boards.FLOWS:
        raise BuildFailed(
            f"no bitstream of {name} is made here: systolith build --board {name} writes a project "
            "for Vivado, which makes the bitstream; its hardware manager loads it"
        )
    try:
        manifest = Manifest.parse((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        contents = (folder / manifest.bitstream).read_bytes()
    except FileNotFoundError as error:
        raise BuildFailed(
            f"{error.filename} does not exist: systolith build --board {name} --out {folder}"
        ) from None
    except OSError as error:
        raise BuildFailed(f"{error.filename} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BuildFailed(f"{folder / MANIFEST_NAME}: {error}") from None
    if manifest.board != name:
        raise BuildFailed(f"the bitstream in {folder} is for {manifest.board}, not for {name}")
    if hashlib.sha256(contents).hexdigest() != manifest.sha256:
        raise BuildFailed(f"{folder / manifest.bitstream} is not the bitstream that its manifest tells of")
    loader = shutil.which(LOADER)
    if loader is None:
        raise TargetUnavailable(
            f"{LOADER} is not installed: apt install openfpgaloader (Debian, Ubuntu), "
            "dnf install openFPGALoader (Fedora)"
        )
    command = [loader, "-b", board.loader, str(folder / manifest.bitstream)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode != 0:
        told = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise BuildFailed(f"{LOADER}: {told[-1] if told else f'exit code {result.returncode}'}")
    return {"board": name, "bitstream": str(folder / manifest.bitstream), "array": manifest.array}
