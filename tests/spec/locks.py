"""A lock that several tests of the specification start from: every key of the format once, canonical."""

from mlxlock.spec.digest import EMPTY_BLAKE3, Blake3, GitOid, Sha256, tree_digest
from mlxlock.spec.effects import Copy, Download, Effects, Member, Unpacked
from mlxlock.spec.first_run import FirstRun
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
from mlxlock.spec.resolution import FileEntry
from mlxlock.spec.urls import Url

COMMIT = CommitHash("f4ab307b7b8aa257c31559953bfabb1c51041a61")
OTHER = CommitHash("d149729398750b98c0af14eb82c78cfe92750796")
EMPTY = Blake3(EMPTY_BLAKE3)
SHA = Sha256("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
OID = GitOid("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")

CONFIG = FileEntry(path=RepoPath("config.json"), size_bytes=0, git=OID, sha256=SHA, blake3=EMPTY)
WEIGHTS = FileEntry(path=RepoPath("model.safetensors"), size_bytes=0, sha256=SHA, blake3=EMPTY)
UNSEEN = FileEntry(path=RepoPath("README.md"), size_bytes=7, git=OID)


def member(name: str, path: str) -> Member:
    return Member(name=name, path=RepoPath(path), size_bytes=0, sha256=SHA, blake3=EMPTY)


MAC = Environment(platform="macosx-arm64", python="3.12", packages={"mlx": "0.32.4", "mlx-audio": "0.6.2"})

QWEN = Artifact(
    repo=RepoId("Qwen/Qwen2.5-7B"),
    canonical=RepoId("qwen/Qwen2.5-7B-Base"),
    repo_type="dataset",
    gated=True,
    revision=Revision("main"),
    commit=OTHER,
    asked_by="mlx_audio.stt.models.vibevoice_asr.vibevoice_asr:Model.post_load_hook",
    when="load",
    trusts_remote_code=True,
    license="apache-2.0",
    absent=(RepoPath("added_tokens.json"), RepoPath("chat_template.jinja")),
    files=(CONFIG,),
)

ASR = LockedModel(
    name=ModelName("asr"),
    repo=RepoId("mlx-community/VibeVoice-ASR-4bit"),
    canonical=RepoId("mlx-community/VibeVoice-ASR-4bit-renamed"),
    gated=True,
    request=Request(
        revision=Revision("main"),
        include=("*.json", "*.safetensors"),
        exclude=("*.md",),
        dir="asr-here",
        kind="stt",
        first_runs=(
            FirstRun(
                name="hello", options={"audio": "tests/hello.wav", "max-tokens": 4, "vad": True}, timeout_s=9
            ),
            FirstRun(name="app", command=("python", "app.py"), compare="none"),
        ),
        remote_code="allow",
        artifacts={RepoId("Qwen/Qwen2.5-7B"): Revision(OTHER)},
        allow_hosts=("raw.githubusercontent.com",),
        accept_denied=("meta-llama/Llama-3.2-1B-Instruct",),
        sandbox_require="full",
    ),
    commit=COMMIT,
    trusts_remote_code=True,
    snapshot=Snapshot(
        size_bytes=0,
        date="2026-02-03",
        license="mit",
        digest=tree_digest({"config.json": EMPTY, "model.safetensors": EMPTY}),
    ),
    proofs=(
        Proof(environment=MAC.id, first_run="hello", sandbox="full", offline="proven", compared="output"),
    ),
    files=(CONFIG, WEIGHTS),
    artifacts=(QWEN,),
    effects=Effects(
        downloads=(
            Download(
                url=Url("https://example.org/en_core_web_sm.tar.gz"),
                size_bytes=0,
                sha256=SHA,
                blake3=EMPTY,
                path=RepoPath("tarballs/en_core_web_sm.tar.gz"),
                asked_by="spacy.cli.download:download",
                when="generate",
                members=(member("en/meta.json", "python/en/meta.json"),),
            ),
        ),
        unpacked=(Unpacked(archive=EMPTY, member=member("voices/a.json", "home/.cache/voices/a.json")),),
        copies=(Copy(path=RepoPath("home/.cache/3f9c"), blake3=EMPTY),),
        writes=(FileEntry(path=RepoPath("home/.cache/made"), size_bytes=0, sha256=SHA, blake3=EMPTY),),
    ),
    denied=(
        Denied(
            url="https://example.org/telemetry", accepted=True, asked_by="telemetry.ping:send", when="import"
        ),
    ),
)

PLAIN = LockedModel(
    name=ModelName("plain"),
    repo=RepoId("t5-base"),
    request=Request(version=">=1.0,<2", first_runs=()),
    revision=Revision("v1.4"),
    commit=OTHER,
    snapshot=Snapshot(size_bytes=7),
    files=(UNSEEN,),
)

LOCK = Lockfile(models=(ASR, PLAIN), environments=(MAC,))
