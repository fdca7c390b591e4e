"""The content hash of a directory: every byte of every file counts, the exclude list and the rest do not."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxlock.ports import LocalModel
from mlxlock.spec.digest import content_hash
from mlxlock.workspace.library import DirectoryLibrary
from mlxlock.workspace.model_files import hash_files, list_files
from tests.commands.test_clone import by_sha256sum

FILES = {
    "config.json": b"{}",
    "model.safetensors": b"\x08\0\0\0\0\0\0\0{}      weights",
    "model.gguf": b"GGUF....",
    "sub/deep/vocab.txt": b"a\nb\n",
    "empty": b"",
    "with space é.txt": b"x",
}
EXCLUDED = (
    ".mlxk_workspace.json",
    ".hf_cache/hub/x",
    "sub/.hf_cache/x",
    ".DS_Store",
    ".git/HEAD",
    "sub/__pycache__/x.pyc",
    "train.log",
    "sub/x.tmp",
)


def write(directory: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory


def hashed(directory: Path) -> str:
    return content_hash(hash_files(directory, list_files(directory), lambda _: None))


def test_it_is_what_sha256sum_and_sort_say(tmp_path: Path) -> None:
    assert hashed(write(tmp_path, {**FILES, **dict.fromkeys(EXCLUDED, b"x")})) == by_sha256sum(tmp_path)


def test_any_flipped_byte_of_any_file_changes_it(tmp_path: Path) -> None:
    before = hashed(write(tmp_path, FILES))
    for name, data in FILES.items():
        for at in range(len(data)):
            status = (tmp_path / name).stat()
            (tmp_path / name).write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            os.utime(tmp_path / name, ns=(status.st_atime_ns, status.st_mtime_ns))
            assert hashed(tmp_path) != before, (name, at)
        (tmp_path / name).write_bytes(data)
    assert hashed(tmp_path) == before


def test_a_file_more_or_less_or_under_another_name_changes_it(tmp_path: Path) -> None:
    before = hashed(write(tmp_path, FILES))
    for name in FILES:
        (tmp_path / name).rename(tmp_path / f"{name}x")
        assert hashed(tmp_path) != before, name
        (tmp_path / f"{name}x").rename(tmp_path / name)
    write(tmp_path, {"new": b""})
    assert hashed(tmp_path) != before


def test_nothing_of_the_exclude_list_changes_it(tmp_path: Path) -> None:
    before = hashed(write(tmp_path, FILES))
    write(tmp_path, dict.fromkeys(EXCLUDED, b"x"))
    assert hashed(tmp_path) == before


def test_contents_that_run_together_without_framing_are_two_hashes(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"config.json": b"{}tokenizer.jsonX"})
    two = write(tmp_path / "two", {"config.json": b"{}", "tokenizer.json": b"X"})
    assert hashed(one) != hashed(two)


def test_directories_may_lie_deeper_than_python_recurses(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    assert {file.path for file in list_files(tmp_path)} == set(FILES)
    for depth in range(1200, 0, -1):
        (tmp_path / "/".join(["d"] * depth)).rmdir()


def test_a_link_is_a_problem_and_never_some_files_content(tmp_path: Path) -> None:
    write(tmp_path / "m", FILES)
    (tmp_path / "outside").write_bytes(b"x")
    (tmp_path / "m" / "link").symlink_to("../outside")
    os.mkfifo(tmp_path / "m" / "pipe")
    problems = {file.path: file.problem for file in list_files(tmp_path / "m") if file.problem}
    assert problems == {"link": "a link", "pipe": "no regular file"}
    library = DirectoryLibrary(roots=[], caches=[], home=tmp_path, records=tmp_path)
    model = LocalModel(where="workspace", directory=tmp_path / "m", name="m")
    assert set(library.hashes(model)) == set(FILES)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?", fullmatch=True), st.binary(max_size=9), min_size=1
    )
)
def test_it_follows_from_paths_and_bytes_alone(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    clear = {
        name: data for name, data in files.items() if not any(other.startswith(f"{name}/") for other in files)
    }
    first, second = (tmp_path_factory.mktemp("tree") for _ in range(2))
    write(first, clear)
    write(second, dict(reversed(clear.items())))
    subprocess.run(["touch", "-d", "2001-01-01", *clear], cwd=second, check=True)
    assert hashed(first) == hashed(second)
