"""Tables that follow from the link's contract: frames and the board's registers."""

from collections.abc import Callable

from systolith_hw import link

from .docstrings import members, prose
from .markdown import table

__all__ = ["TABLES"]


def _frame(rows: list[tuple[str | int, str, str]]) -> str:
    return table(["bytes", "field", "holds"], rows)


def _header(names: list[str]) -> list[tuple[str | int, str, str]]:
    fields = link.REQUEST_FIELDS
    return [(fields[name].size, f"`{name}`", prose(fields[name].doc)) for name in names]


def _request() -> str:
    return _frame(
        [
            (1, "start", f"`0x{link.REQUEST_START:02x}`"),
            *_header(list(link.REQUEST_FIELDS)),
            (link.CHECK_BYTES, "check", "Of the header"),
            (f"1–{link.PAYLOAD_MAX_BYTES}", "payload", "Of a write alone"),
            (link.CHECK_BYTES, "check", "Of a write alone: of header and payload"),
        ]
    )


def _response() -> str:
    return _frame(
        [
            (1, "start", f"`0x{link.RESPONSE_START:02x}`"),
            *_header([name for name in link.REQUEST_FIELDS if name != "address"]),
            (f"1–{link.PAYLOAD_MAX_BYTES}", "payload", "Of a read alone"),
            (1, "status", "How the request ended"),
            (link.CHECK_BYTES, "check", "Of everything but start"),
        ]
    )


def _registers() -> str:
    return table(
        ["offset", "register", "access", "holds"],
        [
            (f"`0x{register.offset:02x}`", f"`{name}`", register.access, prose(register.doc))
            for name, register in link.BOARD_REGISTERS.items()
        ],
    )


TABLES: dict[str, Callable[[], str]] = {
    "link_request": _request,
    "link_response": _response,
    "link_spaces": lambda: members(link.Space),
    "link_statuses": lambda: members(link.LinkStatus),
    "board_registers": _registers,
}
