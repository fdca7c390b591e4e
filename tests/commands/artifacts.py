"""A lock with an artifact, as a first run would have found it, where the run itself is not the point."""

from dataclasses import replace

from mlxlock.spec.digest import GitOid, Sha256
from mlxlock.spec.lockfile import Artifact
from mlxlock.spec.lockfile_reader import parse_lockfile
from mlxlock.spec.lockfile_writer import format_lockfile
from mlxlock.spec.names import CommitHash, RepoId, RepoPath, Revision
from mlxlock.spec.resolution import FileEntry
from tests.commands.site import Site
from tests.testhub import LoopbackHub, Repo, lfs

MODEL, TOK = "org/asr", "Qwen/Qwen2.5-7B"


def lock_with_artifact(hub: LoopbackHub, site: Site) -> Repo:
    """Write a manifest and a lock: `asr` brings two files of another repo, and asked for a third.

    Returns:
        The repo of `asr`.
    """
    asr = hub.repo(MODEL)
    asr.commit({"config.json": b"{}", "model.safetensors": lfs(b"w" * 3000)})
    tok = hub.repo(TOK)
    tok.commit({"vocab.json": b"v" * 2048, "merges.txt": b"m", "model.safetensors": lfs(b"never fetched")})
    site.write(f'[models.asr]\nrepo = "{MODEL}"\n')
    site.mlxk("lock", "--no-capture")
    lock = parse_lockfile(site.lock_path.read_text())
    artifact = Artifact(
        repo=RepoId(TOK),
        revision=Revision("main"),
        commit=CommitHash(tok.refs["refs/heads/main"]),
        asked_by="mlx_audio.stt:Model.post_load_hook",
        when="load",
        absent=(RepoPath("added_tokens.json"),),
        files=tuple(_entry(tok, path) for path in ("merges.txt", "vocab.json")),
    )
    models = tuple(replace(model, artifacts=(artifact,)) for model in lock.models)
    site.lock_path.write_text(format_lockfile(replace(lock, models=models)))
    return asr


def _entry(repo: Repo, path: str) -> FileEntry:
    file = repo.commits[repo.refs["refs/heads/main"]].files[path]
    git, sha256 = (None, Sha256(file.sha256)) if file.lfs else (GitOid(file.oid), None)
    return FileEntry(path=RepoPath(path), size_bytes=file.size, git=git, sha256=sha256)
