"""The one error that users see as a line of text: what was wrong, the value, what to do."""

import os


class PoseTrackError(Exception):
    """A wrong request: an option, a path, a file's content. `cli.main` prints one line and exits with 2."""


class InputError(PoseTrackError):
    """One input among several that failed; the others are still done. The command ends with exit code 1."""


def refused_by_system(error: BaseException) -> str | None:
    """The line for a file that the system refuses: no rights, too long a name. None for a fault of ours."""
    if not isinstance(error, OSError) or error.filename is None:
        return None
    return f"{os.fsdecode(error.filename)}: {error.strerror or error}; check the path and its rights"


SHOWN = 80  # characters of what a file says, in a message


def shortened(text: str) -> str:
    """What a file says, in a message: not long, no line breaks, nothing that a terminal obeys."""
    text = text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
    return "".join(c if c.isprintable() else "?" for c in text)
