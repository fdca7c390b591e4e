"""Looks at one model's directory: its files, its small JSON texts, the headers of its weights. Only reads.

Owns what is too large, or no file, to be read at all; such a thing is told in its place.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from mlxlock.fs import open_regular
from mlxlock.spec.model_facts import ModelFacts, ModelFile
from mlxlock.spec.names import RepoPath
from mlxlock.spec.safetensors import PREFIX_BYTES, Header, header_bytes, parse_header
from mlxlock.spec.weights import weight_format
from mlxlock.workspace.model_files import list_files

_MAX_TEXT_BYTES: Final = 32 << 20
_READ_TEXTS: Final = frozenset({"config.json", "tokenizer_config.json"})
_INDEX: Final = ".safetensors.index.json"
_MAGIC: Final = {"gguf": b"GGUF", "npz": b"PK"}


def look_at_model(directory: Path, *, follow: bool) -> ModelFacts:
    """What can be seen there.

    Args:
        directory: The model.
        follow: Whether links to files are files, as in a cache.

    Raises:
        DiskError: A directory cannot be read.
    """
    files = list_files(directory, follow=follow)
    return ModelFacts(
        files=files,
        texts=dict(_texts(directory, files, follow)),
        weights=dict(_weights(directory, files, follow)),
    )


def _texts(directory: Path, files: tuple[ModelFile, ...], follow: bool) -> Iterator[tuple[str, str]]:
    for file in files:
        if _is_text(file.path) and file.problem is None and file.size_bytes <= _MAX_TEXT_BYTES:
            with suppress(OSError), _opened(directory / file.path, follow) as stream:
                yield file.path, stream.read(file.size_bytes).decode(errors="replace")


def _is_text(path: str) -> bool:
    return path in _READ_TEXTS or ("/" not in path and path.endswith(_INDEX))


def _weights(
    directory: Path, files: tuple[ModelFile, ...], follow: bool
) -> Iterator[tuple[str, Header | str | None]]:
    for file in files:
        known = weight_format(RepoPath(file.path)) if file.problem is None else None
        if known is not None:
            yield file.path, _checked(directory / file.path, known, file.size_bytes, follow)


def _checked(path: Path, known: str, size_bytes: int, follow: bool) -> Header | str | None:
    try:
        with _opened(path, follow) as stream:
            if known == "safetensors":
                return _header(stream, size_bytes)
            return _magic(stream, known, path.suffix)
    except ValueError as problem:
        return str(problem)
    except OSError as problem:
        return f"it cannot be read: {problem.strerror}".lower()


def _header(stream: BinaryIO, size_bytes: int) -> Header:
    length = header_bytes(stream.read(PREFIX_BYTES), size_bytes)
    return parse_header(stream.read(length), size_bytes)


def _magic(stream: BinaryIO, known: str, suffix: str) -> str | None:
    begin = stream.read(PREFIX_BYTES)
    if not begin:
        return "it is empty"
    magic = _MAGIC.get(known)
    if magic is not None and suffix.lower() != ".npy" and not begin.startswith(magic):
        return f"it is no {known} file"
    return None


@contextmanager
def _opened(path: Path, follow: bool) -> Iterator[BinaryIO]:
    with open_regular(path.resolve() if follow else path) as fd, open(fd, "rb", closefd=False) as stream:
        yield stream
