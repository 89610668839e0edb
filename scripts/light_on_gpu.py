"""Train both light networks on a lent GPU machine that takes 64 MiB, gives 64 MiB and has minutes.

    python scripts/light_on_gpu.py pack --data ../shared/data --rendered /tmp/runs/people
    python scripts/light_on_gpu.py plan build/light_gpu --minutes 9 --options="--init posetrack/zoo/bundled"

`pack` runs here: soft boxes by the teacher, unless --labels has them, and all that training reads, in pieces.
`plan` prints the calls to make, one right after the other: each brings a piece, the last one trains. What
comes back from --out is all that a further call needs to go on (--resume). `export` makes weights of it here,
should the machine have been taken away before the end.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from posetrack.errors import PoseTrackError
from posetrack.training.light_both import Settings, export_both, train_both
from posetrack.training.pieces import pack, receive

PLAN = """\
Make these calls one right after the other: the machine waits 30 seconds for the next.
{calls}
If the last one left early, or was killed: put the files that came back into {run}, and make once more
{again}
A fresh machine needs the pieces again before. To make weights of what there is, without a machine:
    python scripts/light_on_gpu.py export {run} --data ../shared/data --to {run}"""


def main() -> None:
    given = _arguments()
    try:
        given.command(given)
    except PoseTrackError as error:
        sys.exit(f"light_on_gpu.py: {error}")


def _pack(given: argparse.Namespace) -> None:
    lspet, labels = given.data / "lspet", given.labels
    if labels is None:
        from posetrack.training.teacher_boxes import label_lspet

        labels = given.out / "boxes"
        label_lspet(lspet, given.data / "teachers" / "yolox_nano_416.onnx", labels)
    for path in pack(lspet, labels, given.out, given.limit, rendered=given.rendered):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


def _receive(given: argparse.Namespace) -> None:
    to_come = receive(given.piece, given.to)
    print(f"still to come: pieces {', '.join(map(str, to_come))}" if to_come else f"all there, in {given.to}")


def _train(given: argparse.Namespace) -> None:
    names = Settings.__dataclass_fields__
    settings = Settings(**{name: value for name, value in vars(given).items() if name in names})
    train_both(settings, given.data, given.out, given.resume)


def _export(given: argparse.Namespace) -> None:
    for path in export_both(given.run, given.data, given.to):
        print(path)


def _plan(given: argparse.Namespace) -> None:
    pieces, there, run = sorted(given.pieces.glob("piece-*")), "/tmp/light", given.pieces / "run"
    if not pieces:
        raise PoseTrackError(f"{given.pieces} holds no pieces: pack them first")
    script = "python3 scripts/light_on_gpu.py"
    commands = [f"{script} receive {piece} --to {there}" for piece in pieces]
    # What differs between devices is tried in seconds before minutes depend on it.
    commands[0] += " && python3 -m pytest -m gpu tests/posetrack/training/test_graph.py"
    train = f"{script} train --data {there} --out $OUT --minutes {given.minutes:g} --call-minutes 9.3"
    train += f" {given.options}" if given.options else ""
    log = "2>&1 | tee $OUT/log"
    commands[-1] += f" && {train} {log}"
    calls = [_call(piece, command) for piece, command in zip(pieces, commands, strict=True)]
    print(PLAN.format(calls="".join(calls), again=_call(run, f"{train} --resume {run} {log}"), run=run))


def _call(carry: Path, command: str) -> str:
    seconds = 600 if " train " in command else 150
    environment = "set -o pipefail; export PYTHONPATH=. PYTHONUNBUFFERED=1"
    return f"\n  carry: {carry}\n  timeout_s: {seconds}\n  command: {environment}; {command}\n"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("pack", help="write the pieces of the data")
    command.set_defaults(command=_pack)
    command.add_argument("--data", type=Path, required=True, help="the data pack")
    command.add_argument("--labels", type=Path, help="folder with train.json and backgrounds.json")
    command.add_argument("--rendered", type=Path, help="folder of scripts/render_people.py")
    command.add_argument("--out", type=Path, default=Path("build/light_gpu"), help="folder for the pieces")
    command.add_argument("--limit", type=int, help="only so many pictures of each kind")

    command = commands.add_parser("receive", help="check a piece and unpack it with the last")
    command.set_defaults(command=_receive)
    command.add_argument("piece", type=Path)
    command.add_argument("--to", type=Path, required=True, help="folder for the data")

    command = commands.add_parser("train", help="train both networks, or go on")
    command.set_defaults(command=_train)
    command.add_argument("--data", type=Path, required=True, help="folder of `receive`")
    command.add_argument("--out", type=Path, required=True, help="folder for states and weights")
    command.add_argument("--minutes", type=float, required=True, help="of training, all calls together")
    command.add_argument("--pose-share", type=float, default=Settings.pose_share, help="of them; 1 or 0: one")
    command.add_argument("--call-minutes", type=float, default=Settings.call_minutes, help="then leave early")
    command.add_argument("--resume", type=Path, help="the --out of an earlier call")
    command.add_argument("--init", type=Path, help="folder with weights to begin with")
    command.add_argument("--teacher", type=Path, help="pose weights to learn from beside the labels")
    command.add_argument("--device", default=Settings.device)
    command.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 1) - 2))
    command.add_argument("--pose-batch", type=int, default=Settings.pose_batch)
    command.add_argument("--detector-batch", type=int, default=Settings.detector_batch)
    command.add_argument("--small-share", type=float, default=Settings.small_share, help="of the pose run")
    command.add_argument(
        "--wide-share", type=float, default=Settings.wide_share, help="of the pose run: a teacher"
    )
    command.add_argument("--pose-rate", type=float, default=Settings.pose_rate, help="times the recipe's")
    command.add_argument("--seed", type=int, default=Settings.seed)
    command.add_argument("--save-every", type=float, default=Settings.save_every, help="seconds")

    command = commands.add_parser("export", help="write the weights of states, finished or not")
    command.set_defaults(command=_export)
    command.add_argument("run", type=Path, help="the --out of a call")
    command.add_argument("--data", type=Path, required=True, help="folder with lspet/")
    command.add_argument("--to", type=Path, required=True, help="folder for the weights")

    command = commands.add_parser("plan", help="print the calls")
    command.set_defaults(command=_plan)
    command.add_argument("pieces", type=Path, help="folder of `pack`")
    command.add_argument("--minutes", type=float, default=8.5, help="of training")
    command.add_argument("--options", default="", help="more of `train`: --options='--init FOLDER'")
    return parser.parse_args()


if __name__ == "__main__":
    main()
