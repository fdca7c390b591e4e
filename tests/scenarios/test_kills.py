"""SIGKILL at system calls chosen from outside: the next run completes whatever a killed one leaves.

strace counts the calls of one undisturbed run, then kills fresh runs at calls spread over all of it, and at
each of the last ones. A lock that fetches nothing is nearly all one thread: it is killed in its write.
"""

import re
import shutil
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.commands.site import Site, untimed
from tests.testhub import LoopbackHub, lfs

CALLS = (
    *("rename", "link", "linkat", "symlink", "symlinkat", "unlink", "fsync", "write", "pwrite64"),
    *("sendto", "mkdir", "mkdirat", "ftruncate", "fchmod", "renameat", "renameat2", "unlinkat"),
)
KILLS = {"lock": 12, "lock --no-capture": 0, "sync": 24}
LAST = 8
"""So many more at the very end, where results get their names."""
MANIFEST = """
[models.one]
repo = "org/one"
first-run = false

[models.two]
repo = "org/two"
first-run = false
"""


class Victim:
    """A project whose verb is killed; each try has a store and results that were never used."""

    def __init__(self, site: Site, verb: str) -> None:
        self.site = site
        self.verb = verb
        site.write(MANIFEST)
        if verb == "sync":
            site.mlxk("lock", "--no-capture")

    def afresh(self) -> None:
        shutil.rmtree(self.site.models, ignore_errors=True)
        shutil.rmtree(self.site.store, ignore_errors=True)
        if self.verb != "sync":
            self.site.lock_path.unlink(missing_ok=True)

    def made(self) -> dict[str, bytes | str]:
        """What the verb is there to make, and all that lies beside it."""
        return untimed(self.site.root)

    def moments(self) -> list[tuple[str, int]]:
        """Each (call, n) of an undisturbed run, in order: a thread makes that call for the nth time."""
        log = self.site.store.with_name("strace.log")
        self.afresh()
        self.site.mlxk(
            *self.verb.split(),
            before=("strace", "-f", "-qq", "-e", f"trace={','.join(CALLS)}", "-o", str(log)),
        )
        seen = Counter[tuple[str, str]]()
        moments = dict[tuple[str, int], None]()
        for thread, call in re.findall(r"^(\d+) +(\w+)\(", log.read_text(), re.MULTILINE):
            seen[thread, call] += 1
            moments[call, seen[thread, call]] = None
        return list(moments)

    def killed_by(self, call: str, when: int) -> bool:
        """Kill a fresh run there; earlier, if its threads share the work otherwise and none comes so far."""
        while when:
            self.afresh()
            if self._killed_at(call, when):
                return True
            when //= 2
        return False

    def _killed_at(self, call: str, when: int) -> bool:
        inject = f"inject={call}:signal=SIGKILL:when={when}"
        done = self.site.run(
            *self.verb.split(), before=("strace", "-f", "-qq", "-o", "/dev/null", "-e", inject)
        )
        return done.returncode in {-9, 137}


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        for name in ("one", "two"):
            hub.repo(f"org/{name}").commit(
                {
                    "config.json": f'{{"name": "{name}"}}'.encode(),
                    "tokenizer/vocab.txt": name.encode() * 400,
                    "model.safetensors": lfs(name.encode() * 100_000),
                }
            )
        yield hub


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("verb", KILLS)
def test_what_was_killed_anywhere_is_completed_by_the_next(
    hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory, verb: str
) -> None:
    victim = Victim(Site(tmp_path_factory.mktemp("kills") / "project", hub.endpoint), verb)
    moments = victim.moments()
    expected = victim.made()
    early, count = moments[:-LAST], KILLS[verb]
    assert len(early) >= count
    chosen = [early[number * len(early) // count] for number in range(count)] + moments[-LAST:]
    killed = 0
    for call, when in chosen:
        killed += victim.killed_by(call, when)
        victim.site.mlxk(*verb.split())
        assert victim.made() == expected, (call, when)
    assert killed >= len(chosen) * 9 // 10
