"""What an entry keeps of earlier first runs' files when its own move."""

from dataclasses import replace

from mlxlock.planning.effects import with_effects
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
