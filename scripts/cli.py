"""How a script of one command or several is started: its flags are the command's parameters."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from posetrack import __version__
from posetrack.commands.flags import Command, parse
from posetrack.errors import PoseTrackError


def run(name: str, about: str | None, commands: Mapping[str, Command]) -> int:
    """Do what the command line asks for; a command that is alone need not be named.

    Args:
        name: of the module below `scripts`.
        about: its docstring, whose first line is shown.

    Returns:
        The exit code.
    """
    words = sys.argv[1:]
    if len(commands) == 1 and words[:1] != [*commands]:
        words = [*commands, *words]
    try:
        first = (about or "").split("\n")[0]
        command, values = parse(f"python -m scripts.{name}", first, __version__, commands, words)
        return command(**values) or 0
    except PoseTrackError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
