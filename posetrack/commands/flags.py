"""A command is a function; its signature is its flags.

Positional parameters become arguments, keyword-only ones --flags: bool a switch, Literal a choice, list
several values. The help text of each stands in its annotation: Annotated[Path, "folder for the results"].
(jsonargparse does this too, but its import alone takes longer than the 0.3 s that --help may take.)
"""

from __future__ import annotations

import argparse
import difflib
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

from posetrack.errors import PoseTrackError

Command = Callable[..., int | None]


class _Parser(argparse.ArgumentParser):
    """Wrong flags end like every other wrong request: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"'([^']{200})[^']+'", r"'\1...'", message)
        raise PoseTrackError(f"{message} (see {self.prog} --help)")


def parse(
    name: str, about: str, version: str, commands: Mapping[str, Command], words: Sequence[str]
) -> tuple[Command, dict[str, Any]]:
    """The command that was asked for and the values of its parameters."""
    parser = _Parser(prog=name, description=about)
    parser.add_argument("--version", action="version", version=f"{name} {version}")
    table = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    known: dict[str, _Parser] = {}
    for word, function in commands.items():
        doc = inspect.getdoc(function) or ""
        known[word] = sub = table.add_parser(
            word,
            allow_abbrev=False,
            help=doc.split("\n")[0],
            description=doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_parameters(sub, function)
    if nul := next((word for word in words if "\0" in word), None):
        parser.error(f"{nul!r:.200} holds a null character, which no name can")
    if not words:
        parser.print_help()
        raise SystemExit(0)
    if words[0] in known:
        _refuse_unknown_flags(known[words[0]], words[1:])
    values = vars(parser.parse_args(words))
    return commands[values.pop("command")], values


def _refuse_unknown_flags(parser: _Parser, words: Sequence[str]) -> None:
    """Before argparse asks for what is missing, which would hide the mistake."""
    flags = [flag for action in parser._actions for flag in action.option_strings]
    for word in words:
        if word == "--":
            return
        name = word.partition("=")[0]
        if name.startswith("--") and name not in flags:
            close = difflib.get_close_matches(name, flags, n=1)
            hint = f": did you mean {close[0]}?" if close else ""
            parser.error(f"unknown flag {name}{hint}")


def _add_parameters(parser: argparse.ArgumentParser, function: Command) -> None:
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters.values():
        kind, text = _split(hints[parameter.name])
        options: dict[str, Any] = {"help": text}
        required = parameter.default is inspect.Parameter.empty
        default = None if required else parameter.default
        if get_origin(kind) is list:
            options |= {"nargs": "+" if required else "*", "metavar": parameter.name.upper()}
            kind = get_args(kind)[0]
        if get_origin(kind) is Literal:
            options |= {"choices": get_args(kind)}
        elif kind is not bool:
            options |= {"type": _number if kind is float else kind}
        if default is not None and kind is not bool and "nargs" not in options:
            options["help"] += f" (default: {default})"
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            if not required:
                options = {"nargs": "?", **options, "default": default}
            options.setdefault("metavar", parameter.name.upper())
            parser.add_argument(parameter.name, **options)
            continue
        flag = "--" + parameter.name.replace("_", "-")
        if kind is bool:
            if default is True:
                flag = "--no-" + flag[2:]
            parser.add_argument(
                flag, dest=parameter.name, action="store_false" if default else "store_true", help=text
            )
        else:
            if "choices" not in options:
                options.setdefault("metavar", _metavar(kind))
            parser.add_argument(flag, dest=parameter.name, required=required, default=default, **options)


def _split(hint: Any) -> tuple[Any, str]:
    """The type without None, and the help text of an Annotated hint."""
    text = ""
    if get_origin(hint) is Annotated:
        hint, text = get_args(hint)[:2]
    if get_origin(hint) in (Union, UnionType):
        hint = next(t for t in get_args(hint) if t is not NoneType)
    return hint, text.replace("%", "%%")


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


_number.__name__ = "float"  # for argparse's "invalid float value"


def _metavar(kind: Any) -> str:
    return {"int": "N", "float": "X", "Path": "PATH"}.get(getattr(kind, "__name__", ""), "NAME")
