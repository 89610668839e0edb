"""The `posetrack` command: a table of functions, each in its module of posetrack/commands."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from types import FrameType

from posetrack import __version__
from posetrack.commands import (
    bench,
    convert,
    detect,
    doctor,
    export,
    fetch,
    live,
    render,
    status,
    submit,
    track,
    train,
)
from posetrack.commands import eval as eval_
from posetrack.commands import evaluate as evaluate_
from posetrack.commands.flags import Command, parse
from posetrack.commands.options import DONE, INTERRUPTED, SOME_FAILED, WRONG_REQUEST, complain
from posetrack.commands.streams import complaint, safe_streams
from posetrack.errors import PoseTrackError, refused_by_system
from posetrack.extras import advice
from posetrack.namesakes import refuse_namesakes

COMMANDS: dict[str, Command] = {
    "track": track.track,
    "live": live.live,
    "status": status.status,
    "render": render.render,
    "export": export.export,
    "submit": submit.submit,
    "eval": eval_.evaluate,
    "train": train.train,
    "evaluate": evaluate_.evaluate,
    "convert": convert.convert,
    "detect": detect.detect,
    "bench": bench.bench,
    "doctor": doctor.doctor,
    "fetch": fetch.fetch,
}


class Terminated(KeyboardInterrupt):
    """SIGTERM, or SIGHUP of a terminal that goes away: it ends a command as Ctrl-C does."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; a wrong request becomes one line on standard error and exit code 2."""
    with safe_streams() as output:
        code = _run(words)
        output.flush()
        if output.error is not None:
            if line := complaint(output.error):
                complain(line)
            code = code or SOME_FAILED
        return code


def _run(words: Sequence[str] | None) -> int:
    try:
        command, values = parse(
            "posetrack",
            "Track human poses in video: who is where, joint by joint.",
            __version__,
            COMMANDS,
            sys.argv[1:] if words is None else words,
        )
        refuse_namesakes()
        if words is None:
            for sent in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
                if signal.getsignal(sent) == signal.SIG_DFL:  # nohup has the latter ignored
                    signal.signal(sent, _terminate)
        return command(**values) or DONE
    except PoseTrackError as error:
        complain(str(error))
        return WRONG_REQUEST
    except ModuleNotFoundError as error:
        if (line := advice(error)) is None:
            raise
        complain(line)
        return WRONG_REQUEST
    except OSError as error:
        if (line := refused_by_system(error)) is None:
            raise
        complain(line)
        return WRONG_REQUEST
    except KeyboardInterrupt as stop:
        complain("interrupted: what was finished is kept")
        return 128 + stop.args[0] if isinstance(stop, Terminated) else INTERRUPTED


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: what follows finishes the files
    raise Terminated(number)


if __name__ == "__main__":
    sys.exit(main())
