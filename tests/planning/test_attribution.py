"""Where the files of a first run came from: told by their content, and never guessed."""

from dataclasses import replace

import pytest

from mlxlock.planning.attribution import (
    Packed,
    adopted,
    archives_of,
    attribute,
    expected,
    known_sizes,
    wanted_sizes,
)
from mlxlock.planning.layout import lay_out
from mlxlock.spec.digest import Blake3, Sha256
from mlxlock.spec.effects import Copy, Download, Effects, Member
from mlxlock.spec.invariants import check_invariants
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.names import RepoId, RepoPath, Revision
from mlxlock.spec.record import Body, Left, Pin
from mlxlock.spec.resolution import FileEntry, Resolution
from mlxlock.spec.urls import Url
from tests.planning.locks import COMMIT, OTHER, artifact, model, seen

WHEEL, DATA, WORD, VOICE = b"a wheel", b"data of a url", b"a word", b"a voice"


def content(data: bytes) -> Blake3:
    return Blake3(seen("x", data).blake3 or "")


def left(path: str, data: bytes) -> Left:
    return Left(path=path, file=replace(seen(path, data), git=None))


def body(url: str, data: bytes) -> Body:
    file = seen("x", data)
    return Body(
        url=Url(url),
        size_bytes=len(data),
        sha256=Sha256(file.sha256 or ""),
        blake3=content(data),
    )


def packed(archive: bytes, name: str, data: bytes) -> Packed:
    return Packed(archive=content(archive), name=name, size_bytes=len(data), blake3=content(data))


def member(name: str, path: str, data: bytes) -> Member:
    file = seen(path, data)
    return Member(
        name=name,
        path=file.path,
        size_bytes=len(data),
        sha256=Sha256(file.sha256 or ""),
        blake3=content(data),
    )


def download(url: str, data: bytes, path: str | None = None, *members: Member) -> Download:
    given = body(url, data)
    return Download(
        url=given.url,
        size_bytes=given.size_bytes,
        sha256=given.sha256,
        blake3=given.blake3,
        path=None if path is None else RepoPath(path),
        members=members,
    )


def entry() -> LockedModel:
    return model(artifacts=(artifact("org/voices", seen("a.json", VOICE), seen("more.zip", b"zip")),))


def test_a_file_of_a_url_is_a_download_and_another_copy_of_it_a_copy() -> None:
    found = attribute([left("home/a", DATA), left("home/b", DATA)], entry(), [body("https://h/d", DATA)])
    assert found.unattributed == ()
    assert found.effects == Effects(
        downloads=(download("https://h/d", DATA, "home/a"),),
        copies=(Copy(path=RepoPath("home/b"), blake3=content(DATA)),),
    )


@pytest.mark.parametrize("data", [VOICE, b"{}", b""])
def test_a_file_of_the_hub_and_an_empty_one_are_copies_whatever_they_are_called(data: bytes) -> None:
    found = attribute([left("home/3f9c", data)], entry(), [body("https://h/same", data)])
    assert found.effects == Effects(copies=(Copy(path=RepoPath("home/3f9c"), blake3=content(data)),))


def test_what_an_earlier_run_brought_is_a_copy_too() -> None:
    earlier = replace(entry(), effects=Effects(downloads=(download("https://h/d", DATA, "home/a"),)))
    found = attribute([left("home/b", DATA)], earlier, [])
    assert found.effects.copies == (Copy(path=RepoPath("home/b"), blake3=content(DATA)),)


def test_members_belong_to_their_archive() -> None:
    files = [left("python/tiny/word", WORD), left("python/tiny.whl", WHEEL)]
    found = attribute(files, entry(), [body("https://h/w", WHEEL)], [packed(WHEEL, "tiny/word", WORD)])
    assert found.unattributed == ()
    assert found.effects.downloads == (
        download("https://h/w", WHEEL, "python/tiny.whl", member("tiny/word", "python/tiny/word", WORD)),
    )


def test_an_archive_of_which_only_members_were_kept_has_no_place() -> None:
    found = attribute(
        [left("python/tiny/word", WORD)],
        entry(),
        [body("https://h/w", WHEEL), body("https://h/unused", DATA)],
        [packed(WHEEL, "tiny/word", WORD)],
    )
    assert [(each.url, each.path) for each in found.effects.downloads] == [("https://h/w", None)]


def test_members_of_the_hubs_archives() -> None:
    found = attribute([left("home/b.json", WORD)], entry(), [], [packed(b"zip", "b.json", WORD)])
    (unpacked,) = found.effects.unpacked
    assert (unpacked.archive, unpacked.member) == (content(b"zip"), member("b.json", "home/b.json", WORD))


def test_of_two_archives_the_one_whose_name_fits_is_taken() -> None:
    archives = [packed(WHEEL, "a/first", WORD), packed(b"other", "tiny/word", WORD)]
    bodies = [body("https://h/a", WHEEL), body("https://h/b", b"other")]
    found = attribute([left("python/tiny/word", WORD)], entry(), bodies, archives)
    assert [each.url for each in found.effects.downloads] == ["https://h/b"]
    found = attribute([left("python/none", WORD)], entry(), bodies, archives)
    assert [each.url for each in found.effects.downloads] == ["https://h/a"]


def test_one_content_of_two_urls_is_of_the_first() -> None:
    bodies = [body("https://h/b", DATA), body("https://h/a", DATA)]
    found = attribute([left("home/x", DATA)], entry(), bodies)
    assert [each.url for each in found.effects.downloads] == ["https://h/a"]


def test_a_url_that_gives_something_else_each_time_brings_nothing_back() -> None:
    bodies = [body("https://h/w", WHEEL), body("https://h/w", DATA)]
    files = [left("a", DATA), left("b", WORD)]
    found = attribute(files, entry(), bodies, [packed(WHEEL, "word", WORD)])
    assert found.effects == Effects()
    assert [each.path for each in found.unattributed] == ["a", "b"]
    assert all("other bytes each time" in (each.problem or "") for each in found.unattributed)


def test_a_url_with_a_signature_brings_nothing_back_unless_another_does() -> None:
    signed = replace(body("https://h/d", DATA), signed=True)
    found = attribute([left("a", DATA)], entry(), [signed])
    assert [each.problem for each in found.unattributed] == ["`https://h/d` was asked with a signature"]
    found = attribute([left("a", DATA)], entry(), [signed, body("https://z/d", DATA)])
    assert [each.url for each in found.effects.downloads] == ["https://z/d"]


def test_what_nobody_knows_is_unattributed() -> None:
    strange = Left(path="home/l", problem="it is a link")
    hub = left("hub/models--org--m/blobs/x", VOICE)
    found = attribute([left("home/x", WORD), strange, hub], entry(), [])
    assert [(each.path, each.problem) for each in found.unattributed] == [
        ("home/x", None),
        ("home/l", "it is a link"),
        (hub.path, "only what the Hub answered may stand there"),
    ]
    assert wanted_sizes(found.unattributed) == {len(WORD), len(VOICE)}


def unseen(path: str, data: bytes) -> Left:
    """As it is listed when its size is nobody's."""
    return Left(path=path, file=FileEntry(path=RepoPath(path), size_bytes=len(data)))


def test_what_was_not_read_is_unattributed_and_may_still_be_a_member() -> None:
    hub = unseen("hub/models--org--m/blobs/x", VOICE)
    found = attribute([unseen("home/x", WORD), hub], entry(), [body("https://h/w", WORD)])
    assert [(each.path, each.problem) for each in found.unattributed] == [
        ("home/x", None),
        (hub.path, "only what the Hub answered may stand there"),
    ]
    assert wanted_sizes(found.unattributed) == {len(WORD), len(VOICE)}
    assert adopted(found).effects.writes == ()


def test_a_file_may_have_the_size_of_whatever_can_bring_one() -> None:
    sizes = known_sizes(entry(), [body("https://h/d", b"x" * 99)])
    assert sizes == {0, 99} | {remote.file.size_bytes for remote in entry().remote_files()}
    unpacks = member("w", "home/w", b"y" * 77)
    known = replace(entry(), effects=Effects(downloads=(download("https://h/z", b"z" * 88, None, unpacks),)))
    assert known_sizes(known, []) >= {77, 88}
    whole = expected(lay_out([known]), [], sizes).sizes
    assert whole is not None
    assert whole >= sizes | {77, len("1" * 40)}  # a member that is laid out, and `refs/main`
    assert expected(lay_out([known]), []).sizes is None


def test_a_person_may_adopt_what_has_bytes_and_a_place_of_its_own() -> None:
    strange = Left(path="home/l", problem="it is a link")
    hub = left("hub/models--org--m/blobs/x", WORD)
    found = adopted(attribute([left("home/x", WORD), strange, hub], entry(), []))
    assert [write.path for write in found.effects.writes] == ["home/x"]
    assert [each.path for each in found.unattributed] == [strange.path, hub.path]
    check_invariants(Lockfile(models=(replace(entry(), effects=found.effects),)))


def test_urls_and_files_of_the_hub_that_are_called_so_may_be_archives() -> None:
    files = archives_of(entry(), [body("https://h/b", WHEEL), body("https://h/a", DATA)])
    assert [file.blake3 for file in files] == [content(DATA), content(WHEEL), content(b"zip")]


def test_what_was_laid_out_and_what_the_hub_named_needs_no_explanation() -> None:
    file = FileEntry(path=RepoPath("v.bin"), size_bytes=3, sha256=Sha256("5" * 64))
    pin = Pin(
        repo=RepoId("org/new"),
        revision="main",
        repo_type="dataset",
        resolution=Resolution(repo=RepoId("org/new"), revision=Revision("main"), commit=OTHER, files=(file,)),
    )
    with_effects = replace(entry(), effects=Effects(downloads=(download("https://h/d", DATA, "home/a"),)))
    known = expected(lay_out([with_effects]), [pin])
    assert known.laid_out["home/a"] == content(DATA)
    assert f"hub/models--org--chat/snapshots/{COMMIT}/config.json" in known.snapshots
    assert f"hub/models--org--voices/snapshots/{OTHER}/a.json" in known.snapshots
    assert f"hub/datasets--org--new/snapshots/{OTHER}/v.bin" in known.snapshots
    assert known.blobs["5" * 64] == 3
    assert known.blobs[seen("a.json", VOICE).git or ""] == len(VOICE)
    assert not any(path.startswith("chat/") for path in known.laid_out)
