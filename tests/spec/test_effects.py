"""Files below `.hf_cache` that are not the Hub's: read as written, refused where they contradict."""

from dataclasses import replace

import pytest

from mlxlock.errors import LockfileError
from mlxlock.spec.digest import Blake3
from mlxlock.spec.effects import Copy, Effects
from mlxlock.spec.invariants import check_invariants
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.lockfile_reader import parse_lockfile
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.spec.names import ModelName, RepoPath
from tests.planning.locks import model, seen
from tests.spec.locks import ASR, LOCK, MAC

OTHER = seen("x", b"other bytes")


def with_effects(effects: Effects, name: str = "chat") -> LockedModel:
    return replace(model(name, f"org/{name}"), effects=effects)


def writes(*paths: str, data: bytes = b"written") -> Effects:
    return Effects(writes=tuple(replace(seen(path, data), git=None) for path in paths))


def test_they_come_back_in_the_writers_order() -> None:
    asr = replace(ASR, effects=replace(ASR.effects, writes=writes("b", "a", "A").writes))
    back = parse_lockfile(format_lockfile(replace(LOCK, models=(asr,))).replace('"A"', '"c"'))
    assert [write.path for write in back.models[0].effects.writes] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('url = "https', 'url = "ftp', "is not an http or https URL"),
        ('.tar.gz"\nsize', '.tar.gz?Signature=a"\nsize', "signed query"),
        ('archive = "', 'archive = "x', "not a digest"),
        ('name = "voices/a.json", ', "", "`name` is missing"),
        ("copies = [\n", 'copies = [\n    { path = "a" },\n', "`blake3` is missing"),
        ("writes = [\n", 'writes = [\n    { path = "a" },\n', "`size` is missing"),
        ('path = "tarballs', 'path = "../tarballs', "component"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, problem: str) -> None:
    text = format_lockfile(LOCK)
    assert old in text
    with pytest.raises(LockfileError) as caught:
        parse_lockfile(text.replace(old, new))
    assert any(problem in line for line in caught.value.details), caught.value.details


def test_a_download_of_which_nothing_is_kept_is_refused() -> None:
    text = format_lockfile(replace(LOCK, models=(replace(ASR, effects=downloads_only()),)))
    with pytest.raises(LockfileError) as caught:
        parse_lockfile(text.replace('path = "tarballs/en_core_web_sm.tar.gz"\n', ""))
    assert caught.value.details == ("`model[0].download[0]`: has neither `path` nor `members`",)


def downloads_only() -> Effects:
    (download,) = ASR.effects.downloads
    return Effects(downloads=(replace(download, members=()),))


def problems(*models: LockedModel) -> str:
    with pytest.raises(LockfileError) as caught:
        check_invariants(Lockfile(models=models, environments=(MAC,)))
    return "\n".join(caught.value.details)


@pytest.mark.parametrize("path", ["hub/models--org--chat/refs/main", "HUB/x", ".mlxk_files", ".MLXK_x/y"])
def test_the_places_of_others_are_reserved(path: str) -> None:
    assert "is reserved" in problems(with_effects(writes(path)))


@pytest.mark.parametrize("paths", [("a/b", "a/B"), ("a", "a/b")])
def test_no_path_is_in_the_way_of_another(paths: tuple[str, str]) -> None:
    told = problems(with_effects(writes(*paths)))
    assert "collide" in told or "is a file" in told


def test_a_copy_is_of_something_that_the_entry_brings_or_empty() -> None:
    empty = Copy(path=RepoPath("a"), blake3=Blake3(seen("e", b"").blake3 or ""))
    known = Copy(path=RepoPath("b"), blake3=Blake3(model().files[0].blake3 or ""))
    check_invariants(Lockfile(models=(with_effects(Effects(copies=(empty, known))),)))
    unknown = Copy(path=RepoPath("c"), blake3=Blake3(OTHER.blake3 or ""))
    assert "is a copy of nothing" in problems(with_effects(Effects(copies=(unknown,))))


def test_an_archive_is_one_that_the_entry_brings() -> None:
    unpacked = replace(ASR.effects.unpacked[0], archive=Blake3(OTHER.blake3 or ""))
    assert "from an archive that" in problems(with_effects(Effects(unpacked=(unpacked,))))


def test_models_may_share_a_file_and_never_a_path() -> None:
    shared = [with_effects(writes("same"), name) for name in ("a", "b")]
    check_invariants(Lockfile(models=tuple(shared)))
    other = [with_effects(writes("same", data=name.encode()), name) for name in ("a", "b")]
    assert "`same` below `.hf_cache` has other bytes for `a`" in problems(*other)
    nested = [with_effects(writes("same"), "a"), with_effects(writes("same/x"), "b")]
    assert "`same/x` below `.hf_cache` is below a file" in problems(*nested)


def test_one_url_is_one_file_for_all_models() -> None:
    (download,) = downloads_only().downloads
    other = replace(download, path=RepoPath("other"), blake3=Blake3(OTHER.blake3 or ""))
    shared = replace(download, path=RepoPath("shared"))
    check_invariants(
        Lockfile(
            models=(
                with_effects(Effects(downloads=(download,)), "a"),
                with_effects(Effects(downloads=(shared,)), "b"),
            )
        )
    )
    told = problems(
        with_effects(Effects(downloads=(download,)), "a"), with_effects(Effects(downloads=(other,)), "b")
    )
    assert f"`{download.url}` is another file for `a`" in told


def test_an_entry_with_all_of_them_holds() -> None:
    lock = replace(LOCK, models=(replace(ASR, name=ModelName("z")),))
    assert parse_lockfile(format_lockfile(lock)) == lock
