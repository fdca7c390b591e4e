"""Makes one row happen: a plain run beside a lock, and one more proof for each thing withheld from the lock.

Owns what is observed, and nothing of what it should be. All of it is other processes, as a user has them.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.commands.site import Site
from tests.hidden.rows import TOKEN, Row, find
from tests.testhub import LoopbackHub, Request
from tests.tinymodels import MODELS, TinyModel

ROOT = Path(__file__).parents[2]
FIRST_RUN = ROOT / "tests" / "tinymodels" / "first_run.py"
MEDIA = ROOT / "mlxlock" / "runners" / "media"
TIMEOUT_S = 280


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What came of a row.

    Attributes:
        lock: The model's entry in the lock, as TOML reads it.
        commits: Every commit that the Hub has, by repo and revision.
        fetched: What the plain run got, as `repo/path`, each once and sorted.
        missed: What it asked for that is not there.
        levels: What each proof came to, by the name of what was withheld; the whole one's is empty.
        objections: The codes of what was objected to it.
        why: The same for people.
    """

    lock: dict[str, Any]
    commits: dict[str, dict[str, str]]
    fetched: list[str]
    missed: list[str]
    levels: dict[str, str]
    objections: dict[str, list[str]]
    why: dict[str, list[str]]

    def write(self, path: Path) -> None:
        """Leave it for another process of the same session."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Observed":
        """Take what another process left."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


def observe(row: Row, tree: Path, root: Path) -> Observed:
    """Run it all.

    Args:
        row: Which one.
        tree: Every tiny repo, `<org>/<name>/...`.
        root: An empty directory of its own.
    """
    with LoopbackHub() as hub:
        hub.load_tree(tree)
        row.arrange(hub)
        fetched, missed = _run_plainly(row, tree / MODELS[row.model].repo, hub, root / "plain")
        answer = _lock(row, project(row, hub, root / "project"), root)
        (entry,) = tomllib.loads(answer.pop("lock"))["model"]
        commits = {wanted.repo: _commits(hub, wanted.canonical or wanted.repo) for wanted in row.wanted}
        return Observed(lock=entry, commits=commits, fetched=fetched, missed=missed, **answer)


def _lock(row: Row, site: Site, root: Path) -> dict[str, Any]:
    plan, answer = root / "plan.json", root / "answer.json"
    plan.write_text(json.dumps({each.name: each.what for each in row.withheld}))
    command = [sys.executable, "-m", "tests.hidden.driver", str(plan), str(answer)]
    done = subprocess.run(
        command, cwd=site.root, env=site.env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(answer.read_text())
    return found


def project(row: Row, hub: LoopbackHub, root: Path) -> Site:
    """A project with the row's model, and a second of speech."""
    site = Site(root, hub.endpoint)
    shutil.copy(MEDIA / "hello.wav", root)
    site.write(
        f'[sandbox]\nrequire = "full"\npython = "{sys.executable}"\n\n'
        f'[models.{row.model}]\nrepo = "{MODELS[row.model].repo}"\n{row.manifest}'
    )
    if row.token:
        site.env["MLXK_ENDPOINT_TOKEN"] = TOKEN
    return site


def _run_plainly(row: Row, path: Path, hub: LoopbackHub, root: Path) -> tuple[list[str], list[str]]:
    """Run the library as anyone would, with nothing of mlxlock, and read the Hub's log."""
    root.mkdir()
    model = MODELS[row.model]
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",  # the models are shared with other tests
        "HOME": str(root),
        "HF_HOME": str(root / "huggingface"),
        "HF_ENDPOINT": hub.endpoint,
        **({"HF_TOKEN": TOKEN} if row.token else {}),
    }
    command = [sys.executable, str(FIRST_RUN), model.kind, str(path), str(_media(model)), *row.flags]
    done = subprocess.run(
        command, cwd=root, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return _files(row, hub.requests)


def _media(model: TinyModel) -> Path:
    return MEDIA / ("square.png" if model.kind == "vision" else "hello.wav")


def _files(row: Row, requests: Iterable[Request]) -> tuple[list[str], list[str]]:
    """What was got, and what was asked for in vain, under the names by which the library asked."""
    asked = {wanted.canonical or wanted.repo: wanted.repo for wanted in row.wanted}
    fetched, missed = set[str](), set[str]()
    for request in requests:
        repo, separator, rest = request.path.removeprefix("/").partition("/resolve/")
        if separator and not repo.startswith("api/"):
            _, _, path = rest.partition("/")
            (missed if request.status == 404 else fetched).add(f"{asked.get(repo, repo)}/{path}")
    return sorted(fetched - missed), sorted(missed)


def _commits(hub: LoopbackHub, repo: str) -> dict[str, str]:
    found = find(hub, repo)
    names = {ref.rpartition("/")[2]: commit for ref, commit in found.refs.items()}
    return names | {commit: commit for commit in found.commits}
