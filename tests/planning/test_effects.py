"""What an entry keeps of earlier first runs' files when its own move."""

from dataclasses import replace

from mlxlock.planning.effects import merge_effects, with_effects
from mlxlock.spec.digest import Blake3
from mlxlock.spec.effects import Copy, Effects, Unpacked
from mlxlock.spec.invariants import check_invariants
from mlxlock.spec.lockfile import Lockfile
from mlxlock.spec.names import RepoPath
from mlxlock.spec.resolution import FileEntry
from tests.planning.locks import model, seen
from tests.planning.test_layout_effects import MADE, MEMBER, PUNKT, VOICE, member

ARCHIVE = seen("voices.tar", b"voices", lfs=True)


def blob(file: FileEntry) -> Blake3:
    return Blake3(file.blake3 or "")


UNPACKED = Unpacked(archive=blob(ARCHIVE), member=member(VOICE, "home/voice"))
ALL = Effects(
    downloads=(replace(PUNKT, path=None),),
    unpacked=(UNPACKED,),
    copies=tuple(
        Copy(path=RepoPath(f"home/{name}"), blake3=blob(file))
        for name, file in {
            "archive": ARCHIVE,
            "empty": seen("e", b""),
            "member": MEMBER,
            "unpacked": VOICE,
        }.items()
    ),
    writes=(MADE,),
)


def test_an_entry_that_has_the_sources_keeps_all() -> None:
    entry = with_effects(model("chat", "org/chat", ARCHIVE), ALL)
    assert entry.effects == ALL
    check_invariants(Lockfile(models=(entry,)))


def test_what_was_of_a_lost_file_goes_with_it() -> None:
    entry = with_effects(model(), ALL)
    assert entry.effects == replace(
        ALL,
        unpacked=(),
        copies=tuple(copy for copy in ALL.copies if copy.path in {"home/empty", "home/member"}),
    )
    check_invariants(Lockfile(models=(entry,)))


def test_the_union_is_in_canonical_order_and_keeps_every_place() -> None:
    here = Effects(downloads=(PUNKT,), copies=ALL.copies, writes=(MADE,))
    more = replace(PUNKT, path=RepoPath("home/punkt.zip"), members=(member(MEMBER, "home/english"),))
    there = Effects(downloads=(more,), unpacked=(UNPACKED,), copies=ALL.copies[:1])
    merged = merge_effects([here, there, Effects()])
    (download,) = merged.downloads
    assert download.path == PUNKT.path
    assert [each.path for each in download.members] == ["home/english", "nltk_data/punkt/english"]
    moved = Copy(path=RepoPath("home/punkt.zip"), blake3=PUNKT.blake3)
    assert merged.copies == tuple(sorted([*ALL.copies, moved], key=lambda copy: copy.path))
    assert (merged.unpacked, merged.writes) == ((UNPACKED,), (MADE,))
    assert merge_effects([merged, here, there]) == merged


def test_a_place_is_found_by_a_later_run_although_the_first_kept_only_members() -> None:
    (download,) = merge_effects(
        [Effects(downloads=(replace(PUNKT, path=None),)), Effects(downloads=(PUNKT,))]
    ).downloads
    assert download == PUNKT


def test_of_what_programs_wrote_the_last_counts_and_other_files_go_before_it() -> None:
    again = replace(seen(MADE.path, b"made again"), git=None)
    assert merge_effects([Effects(writes=(MADE,)), Effects(writes=(again,))]).writes == (again,)
    copy = Copy(path=MADE.path, blake3=blob(MEMBER))
    assert merge_effects([Effects(writes=(MADE,)), Effects(copies=(copy,))]).writes == ()
