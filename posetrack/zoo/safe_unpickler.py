"""PyTorch files read without running anything: what the pickle names becomes an inert record.

torch.load(weights_only=True) refuses files that hold more than tensors and plain containers, and the
checkpoints of training frameworks do (settings, loss histories, numpy numbers); it hangs on names of 100,000
letters. `read` gives the tensors all the same. Nothing that the file names is ever imported or called, and
nothing that it only claims to hold is given memory.
"""

from __future__ import annotations

import io
import math
import mmap
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor

from posetrack.errors import PoseTrackError, shortened

DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

# Names that only an attack calls. Reading is safe without this list; it is there to say so plainly.
_ATTACK_MODULES = frozenset(
    ("commands", "ctypes", "importlib", "nt", "os", "pip", "posix", "pty", "runpy", "shutil", "socket",
     "subprocess", "sys", "webbrowser")
)  # fmt: skip
_ATTACK_BUILTINS = frozenset(("__import__", "breakpoint", "compile", "eval", "exec", "execfile", "open"))

Readable = io.BytesIO | mmap.mmap

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # first object of a file written by torch < 1.6


def read(path: Path) -> tuple[Any, list[str]]:
    """What the file holds, and the names of the foreign objects in it, which are `Record`s now.

    Raises:
        PoseTrackError: the file asks to run code, or torch did not write it.
        Exception: of many kinds, where the file is damaged.
    """
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            return _read_zip(path)
        # Mapped, a read of more than is there gives what is there, and takes no more memory.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _read_legacy(content, path)


class Record(dict[Any, Any]):
    """Stands for an object or function that the pickle names. Keeps items; ignores calls and states."""

    def __new__(cls, *_: object, **__: object) -> Record:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __call__(self, *_: object, **__: object) -> Record:
        return Record()

    def __setstate__(self, _: object) -> None:
        pass

    def append(self, _: object) -> None:
        pass

    extend = add = append
    __hash__ = object.__hash__  # type: ignore[assignment]  # a record may be a key or a member of a set
    __eq__ = object.__eq__


class _Pairs(Record):
    """An ordered dictionary; Python 2 wrote it as a call with all its items."""

    def __init__(self, pairs: Iterable[tuple[Any, Any]] = ()) -> None:
        dict.__init__(self, pairs)


class _Unpickler(pickle._Unpickler):
    """Builds containers, numbers, strings and dense tensors, and records for everything else.

    The one written in Python: that in C makes room for 2**28 objects where the file says that number. It,
    too, makes room for byte arrays before it reads them; weights have none.
    """

    dispatch: ClassVar = {k: v for k, v in pickle._Unpickler.dispatch.items() if k != pickle.BYTEARRAY8[0]}

    def __init__(
        self, file: Readable, path: Path, storage: Callable[[torch.dtype, str, int], Tensor]
    ) -> None:
        super().__init__(file, encoding="latin1")  # what Python 2 wrote may be any bytes
        self.path, self.storage = path, storage
        self.names: dict[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        module = "builtins" if module == "__builtin__" else module  # as Python 2 calls it
        full = f"{module}.{name}"
        if (module == "builtins" and name in _ATTACK_BUILTINS) or module.partition(".")[0] in _ATTACK_MODULES:
            raise PoseTrackError(
                f"{self.path}: the file asks to call {shortened(full)} when it is opened, "
                "which weights never need: refused, nothing was run; get the file from a source you trust"
            )
        if full not in self.names:
            self.names[full] = self._stand_in(full)
        return self.names[full]

    def _stand_in(self, full: str) -> Any:
        # Made anew for every file: whatever a hostile pickle does to them ends with it.
        if full in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
            return lambda storage, offset, size, stride, *_: _view(storage, offset, size, stride)
        if full in ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"):
            return lambda tensor, *_: tensor
        return type(full, (_Pairs if full == "collections.OrderedDict" else Record,), {})

    def foreign(self) -> list[str]:
        usual = ("builtins.", "collections.", "torch.")
        return sorted(shortened(name) for name in self.names if not name.startswith(usual))

    def persistent_load(self, reference: Any) -> Tensor:
        kind, storage_type, key, _, count = reference[:5]
        dtype = DTYPES.get(storage_type.__name__.rpartition(".")[2])
        if kind != "storage" or dtype is None:
            raise pickle.UnpicklingError(shortened(f"reference to {kind} {storage_type.__name__}"))
        return self.storage(dtype, str(key), int(count))


def _view(storage: Tensor, offset: int, size: Sequence[int], stride: Sequence[int]) -> Tensor:
    if math.prod(size) > len(storage):  # a stride of 0 would let a small file claim any size
        raise pickle.UnpicklingError("tensor larger than its storage")
    return torch.as_strided(storage, size, stride, offset)  # checks the bounds


class _Room:
    """Bytes of a file that are not yet taken: entries that share theirs, or claim more, are a bomb."""

    def __init__(self, size: int) -> None:
        self._left = size

    def take(self, size: int) -> None:
        self._left -= size
        if size < 0 or self._left < 0:
            raise pickle.UnpicklingError("storage larger than the file")


def _read_zip(path: Path) -> tuple[Any, list[str]]:
    with zipfile.ZipFile(path) as archive:
        (pickled,) = [n for n in archive.namelist() if n.endswith("/data.pkl") or n == "data.pkl"]
        folder = pickled.removesuffix("data.pkl")
        room = _Room(path.stat().st_size)

        def content(name: str) -> bytes:
            entry = archive.getinfo(f"{folder}{name}")
            if entry.compress_type != zipfile.ZIP_STORED:  # torch never compresses; a zip bomb does
                raise pickle.UnpicklingError(f"compressed {name}")
            room.take(entry.file_size)
            return archive.read(entry)

        if f"{folder}byteorder" in archive.namelist() and content("byteorder") != b"little":
            raise pickle.UnpicklingError("written on a big-endian machine")
        storages: dict[str, Tensor] = {}

        def storage(dtype: torch.dtype, key: str, count: int) -> Tensor:
            if key not in storages:
                data = bytearray(content(f"data/{key}"))
                storages[key] = torch.frombuffer(data, dtype=dtype) if count else torch.empty(0, dtype=dtype)
            return storages[key]

        unpickler = _Unpickler(io.BytesIO(content("data.pkl")), path, storage)
        return unpickler.load(), unpickler.foreign()


def _read_legacy(file: mmap.mmap, path: Path) -> tuple[Any, list[str]]:
    """Magic number, protocol, machine, object, list of storages; then every storage as count and bytes."""
    room = _Room(len(file))
    storages: dict[str, Tensor] = {}

    def none(*_: object) -> NoReturn:
        raise pickle.UnpicklingError("storage in the header")

    def storage(dtype: torch.dtype, key: str, count: int) -> Tensor:
        if key not in storages:
            room.take(count * dtype.itemsize)
            storages[key] = torch.empty(count, dtype=dtype)  # filled below
        return storages[key]

    if _Unpickler(file, path, none).load() != _LEGACY_MAGIC:
        raise PoseTrackError(f"{path}: a plain pickle; write weights with torch.save or as safetensors")
    _Unpickler(file, path, none).load()  # protocol
    machine = _Unpickler(file, path, none).load()
    if not machine.get("little_endian", True):
        raise pickle.UnpicklingError("written on a big-endian machine")
    unpickler = _Unpickler(file, path, storage)
    tree = unpickler.load()
    for key in _Unpickler(file, path, none).load():
        (count,) = struct.unpack("<q", file.read(8))
        into = storages[str(key)]
        if count:  # frombuffer takes no empty buffer
            data = bytearray(file.read(count * into.itemsize))
            into.copy_(torch.frombuffer(data, dtype=into.dtype)[: len(into)])
    return tree, unpickler.foreign()
