"""The command line, called as a program is."""

import json

import pytest
from systolith.cli import app
from typer.testing import CliRunner


class Result:
    """What a call of the program left behind."""

    def __init__(self, result):
        self.code = result.exit_code
        self.out = result.stdout
        self.err = result.stderr
        self.exception = result.exception

    @property
    def json(self):
        """The one object on stdout."""
        assert self.out.count("\n") == 1
        assert self.out.endswith("\n")
        return json.loads(self.out, parse_constant=pytest.fail)


@pytest.fixture
def systolith():
    """Call the program with arguments; nothing but its own exit may end it."""

    def call(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Result(result)

    return call


@pytest.fixture
def fails(systolith):
    """Call the program with bad arguments, both ways, and get its message."""

    def call(*arguments, code=2):
        plain = systolith(*arguments)
        assert (plain.code, plain.out) == (code, "")
        lines = plain.err.splitlines(keepends=True)
        progress, line = lines[:-1], lines[-1]
        assert all(text.endswith(" …\n") for text in progress)
        assert line.startswith("systolith: ")
        assert line.endswith("\n")
        message = line.removeprefix("systolith: ").removesuffix("\n")
        as_json = systolith(*arguments, "--json")
        assert as_json.code == code
        assert as_json.json == {"error": message}
        return message

    return call
