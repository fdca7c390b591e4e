"""Locks of every shape that the format allows, in canonical order, with real hashes of made-up bytes."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

from blake3 import blake3
from hypothesis import strategies as st

from mlxlock.spec.digest import Blake3, GitOid, Sha256, git_blob_header
from mlxlock.spec.effects import Copy, Download, Effects, Member, Unpacked
from mlxlock.spec.first_run import FirstRun
from mlxlock.spec.invariants import snapshot_digest
from mlxlock.spec.lockfile import (
    Artifact,
    Denied,
    Environment,
    LockedModel,
    Lockfile,
    Proof,
    Request,
    Snapshot,
)
from mlxlock.spec.names import CommitHash, ModelName, RepoId, RepoPath, Revision
from mlxlock.spec.phases import PHASES
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.urls import Url

T = TypeVar("T")

NAMES: Final = ("a.b", "asr", "chat", "vision-2")
PATHS: Final = ("README.md", "config.json", "model.safetensors", "sub/é ü.txt", "sub/deep/x.json", "日本")
REPOS: Final = ("Qwen/Qwen2.5-7B", "org/tok", "t5-base")
TEXTS: Final = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Zl", "Zp")), min_size=1, max_size=12
)
FREE: Final = st.text(st.characters(codec="utf-8"), max_size=12)
REVISIONS: Final = st.sampled_from(("main", "v1.2", "refs/pr/3", "feature/ünder"))


def some(of: Sequence[T], *, least: int = 0) -> st.SearchStrategy[tuple[T, ...]]:
    """Some of these, in their order."""
    return st.sets(st.integers(0, len(of) - 1) if of else st.nothing(), min_size=least).map(
        lambda chosen: tuple(of[index] for index in sorted(chosen))
    )


def commit_of(repo: str, revision: str) -> CommitHash:
    """One revision of one repo is one commit, whatever else is drawn."""
    return CommitHash(hashlib.sha1(f"{repo}@{revision}".encode()).hexdigest())


@st.composite
def files(draw: st.DrawFn, commit: str, *, least: int = 1) -> tuple[FileEntry, ...]:
    """Files whose bytes follow from the commit and the path; all of them seen, or none."""
    seen = draw(st.booleans())
    return tuple(_file(commit, path, seen=seen) for path in draw(some(sorted(PATHS), least=least)))


def _file(commit: str, path: str, *, seen: bool) -> FileEntry:
    data = f"{path} of {commit}".encode()
    sha256 = Sha256(hashlib.sha256(data).hexdigest())
    weights = path.endswith(".safetensors")
    oid = GitOid(hashlib.sha1(git_blob_header(len(data)) + data).hexdigest())
    return FileEntry(
        path=RepoPath(path),
        size_bytes=len(data),
        git=None if weights else oid,
        sha256=sha256 if seen or weights else None,
        blake3=Blake3(blake3(data).hexdigest()) if seen else None,
    )


FIRST_RUNS: Final = st.one_of(
    st.none(),
    st.just(()),
    st.builds(
        lambda name, prompt, vad, timeout_s: (
            FirstRun(name=name, options={"prompt": prompt, "seed": 0, "vad": vad}, timeout_s=timeout_s),
            FirstRun(name=f"{name}.", command=("python", prompt.replace("\0", "")), compare="none"),
        ),
        TEXTS,
        FREE,
        st.booleans(),
        st.none() | st.integers(1, 99),
    ),
)


@st.composite
def requests(draw: st.DrawFn, revision: str, *, ranged: bool) -> Request:
    """A request for a revision, or for the range that it is the answer to."""
    pins = draw(some(REPOS))
    return Request(
        revision=None if ranged else Revision(revision),
        version=">=1.0,<2" if ranged else None,
        include=draw(st.lists(TEXTS, max_size=2).map(tuple)),
        exclude=draw(st.lists(TEXTS, max_size=2).map(tuple)),
        kind=draw(st.none() | TEXTS),
        first_runs=draw(FIRST_RUNS),
        remote_code=draw(st.sampled_from((None, "allow", "deny"))),
        artifacts={RepoId(repo): Revision(commit_of(repo, "main")) for repo in pins},
        allow_hosts=draw(st.lists(TEXTS, max_size=2).map(tuple)),
        sandbox_require=draw(st.sampled_from((None, "partial", "full"))),
    )


@st.composite
def artifacts(draw: st.DrawFn, repo: str) -> Artifact:
    """An artifact of this repo: present files, absent ones, or both."""
    revision = draw(REVISIONS)
    commit = commit_of(repo, revision)
    here = draw(files(commit, least=0))
    return Artifact(
        repo=RepoId(repo),
        revision=Revision(revision),
        commit=commit,
        files=here,
        repo_type=draw(st.sampled_from(("model", "dataset", "space"))),
        canonical=RepoId("org/renamed") if draw(st.booleans()) else None,
        gated=draw(st.booleans()),
        asked_by=draw(st.none() | TEXTS),
        when=draw(st.sampled_from((None, *PHASES))),
        trusts_remote_code=draw(st.booleans()),
        license=draw(st.none() | st.just("mit")),
        absent=tuple(RepoPath(f"absent/{path}") for path in draw(some(("a", "b")))),
    )


def _bytes(path: str) -> FileEntry:
    """A file whose bytes follow from its path."""
    data = path.encode()
    return FileEntry(
        path=RepoPath(path),
        size_bytes=len(data),
        sha256=Sha256(hashlib.sha256(data).hexdigest()),
        blake3=Blake3(blake3(data).hexdigest()),
    )


def _member(path: str) -> Member:
    file = _bytes(path)
    assert file.sha256 is not None
    assert file.blake3 is not None
    return Member(
        name=f"in/{path}",
        path=file.path,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        blake3=file.blake3,
    )


def _download(place: str, *, archive: bool) -> Download:
    file = _bytes(place)
    assert file.sha256 is not None
    assert file.blake3 is not None
    return Download(
        url=Url(f"https://a.org/{place}?raw=1"),
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        blake3=file.blake3,
        path=None if archive else file.path,
        members=tuple(_member(f"{place}-{name}") for name in "ab") if archive else (),
    )


@st.composite
def effects(draw: st.DrawFn, name: str) -> Effects:
    """What first runs of the entry of this name left, each in its own place."""
    downloads = tuple(
        replace(
            _download(f"{name}/{place}", archive=place == "x.zip"),
            asked_by=draw(st.none() | TEXTS),
            when=draw(st.sampled_from((None, *PHASES))),
        )
        for place in draw(some(("x.zip", "x")))
    )
    contents = [download.blake3 for download in downloads]
    places = draw(some((f"{name}/u", f"{name}/v"))) if contents else ()
    return Effects(
        downloads=downloads,
        unpacked=tuple(Unpacked(archive=contents[0], member=_member(place)) for place in places),
        copies=tuple(
            Copy(path=RepoPath(f"{name}/copy-{blob[:9]}"), blake3=blob) for blob in sorted(contents)
        ),
        writes=tuple(_bytes(path) for path in draw(some((f"{name}/w", f"{name}/z")))),
    )


@st.composite
def models(draw: st.DrawFn, name: str, environments: Sequence[Environment]) -> LockedModel:
    """An entry of this name; its repo has it too, so that no two share a directory."""
    repo = RepoId(draw(st.sampled_from((f"org/{name}", name))))
    revision, ranged = draw(REVISIONS), draw(st.booleans())
    commit = commit_of(repo, revision)
    content = draw(files(commit))
    runs = ("app", "default")
    proofs = draw(some([(environment.id, run) for environment in environments for run in runs]))
    snapshot = Snapshot(
        size_bytes=sum(file.size_bytes for file in content),
        date=draw(st.sampled_from((None, "2026-02-03"))),
        license=draw(st.none() | TEXTS),
        digest=snapshot_digest(content),
    )
    return LockedModel(
        name=ModelName(name),
        repo=repo,
        canonical=RepoId("org/renamed") if draw(st.booleans()) else None,
        gated=draw(st.booleans()),
        request=draw(requests(revision, ranged=ranged)),
        revision=Revision(revision) if ranged else None,
        commit=commit,
        trusts_remote_code=draw(st.booleans()),
        snapshot=snapshot,
        files=content,
        proofs=tuple(draw(_proof(environment, run)) for environment, run in proofs),
        artifacts=tuple(draw(artifacts(repo)) for repo in draw(some(REPOS))),
        effects=draw(effects(name)),
        denied=tuple(
            Denied(
                url=url,
                accepted="b" in url,
                asked_by=draw(st.none() | TEXTS),
                when=draw(st.sampled_from((None, *PHASES))),
            )
            for url in draw(some(("http://a", "http://b")))
        ),
    )


def _proof(environment: str, run: str) -> st.SearchStrategy[Proof]:
    return st.builds(
        Proof,
        environment=st.just(environment),
        first_run=st.just(run),
        sandbox=st.sampled_from(("full", "partial", "none")),
        offline=st.sampled_from(("proven", "served", "unproven")),
        compared=st.sampled_from(("output", "none")),
    )


@st.composite
def lockfiles(draw: st.DrawFn) -> Lockfile:
    """Any lock, in its canonical order."""
    made = (
        Environment(platform=platform, python="3.12", packages={"mlx": draw(TEXTS), "mlx-lm": "1"})
        for platform in draw(some(("linux-x86_64", "macosx-arm64")))
    )
    environments = tuple(sorted(made, key=lambda environment: environment.id))
    names = draw(some(NAMES))
    return Lockfile(
        models=tuple(draw(models(name, environments)) for name in names), environments=environments
    )
