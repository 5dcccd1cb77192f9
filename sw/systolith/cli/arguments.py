"""What the arguments ask for when they cannot be parsed."""

__all__ = ["asks_for_json"]


def asks_for_json(command, arguments):
    """Whether ``--json`` is among the arguments as an option, not as the value of another.

    Parameters
    ----------
    command : Command
        The program's own, a group of commands.
    arguments : list of str
    """
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--":
            return False
        if argument == "--json":
            return True
        if argument in getattr(command, "commands", {}):
            command = command.commands[argument]
        elif _takes_value(command, argument):
            next(remaining, None)
    return False


def _takes_value(command, argument):
    options = (parameter for parameter in command.params if argument in parameter.opts)
    return any(not getattr(option, "is_flag", True) for option in options)
