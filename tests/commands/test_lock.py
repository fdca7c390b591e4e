"""`mlxk lock --no-capture`: what each revision means, asked once, and nothing that moves by itself."""

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.artifacts import TOK, lock_with_artifact
from tests.commands.site import Site, contents
from tests.testhub import File, LoopbackHub, MoveRef, Repo, lfs

ONE = "org/one"
LOCK = ("lock", "--no-capture")
FIRST: dict[str, bytes | File] = {
    "config.json": b'{"model_type": "qwen2"}',
    "README.md": b"# one",
    "sub/vocab.txt": b"words " * 99,
    "model.safetensors": lfs(b"first " * 10_000),
}
SECOND: dict[str, bytes | File] = {
    "config.json": b'{"model_type": "qwen3"}',
    "model.safetensors": lfs(b"second " * 10_000),
}
CHAT = f'[models.chat]\nrepo = "{ONE}"\n'


@pytest.fixture
def repo(loopback_hub: LoopbackHub) -> Repo:
    repo = loopback_hub.repo(ONE, license="apache-2.0")
    repo.commit(FIRST)
    return repo


def entry(name: str, **keys: str | list[str]) -> str:
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    return f'[models.{name}]\nrepo = "{ONE}"\ndir = "{name}"\n{lines}\n'


def test_each_way_to_say_a_revision_is_the_commit_that_it_means(
    loopback_hub: LoopbackHub, repo: Repo, project: Site
) -> None:
    first = repo.refs["refs/heads/main"]
    for tag in ("v1.0", "v1.10", "not-a-version"):
        repo.tag(tag, first)
    pull = repo.commit({"config.json": b"{}"}, ref=None)
    repo.pull_request(3, pull)
    second = repo.commit(SECOND)
    repo.tag("v2.0", second)
    repo.branch("dev", second)
    asked: dict[str, tuple[dict[str, str], str]] = {
        "branch": ({"revision": "dev"}, second),
        "commit": ({"revision": first}, first),
        "main": ({}, second),
        "pull": ({"revision": "refs/pr/3"}, pull),
        "range": ({"version": ">=1.0,<2"}, first),
        "short": ({"revision": first[:8]}, first),
        "tag": ({"revision": "v2.0"}, second),
    }
    project.write("".join(entry(name, **keys) for name, (keys, _) in asked.items()))
    project.mlxk(*LOCK)
    assert {name: model["commit"] for name, model in project.locked.items()} == {
        name: commit for name, (_, commit) in asked.items()
    }
    assert project.locked["range"]["tag"] == "v1.10"
    paths = {first: sorted(FIRST), second: sorted(SECOND), pull: ["config.json"]}
    for model in project.locked.values():
        assert [file["path"] for file in model["files"]] == paths[model["commit"]]
    calls = [request for request in loopback_hub.requests if "/api/" in request.path]
    assert len(calls) == len(loopback_hub.requests) == len(asked) + 1


def test_a_second_lock_asks_nothing_and_writes_the_same_bytes(
    loopback_hub: LoopbackHub, repo: Repo, project: Site
) -> None:
    project.write(CHAT)
    project.mlxk(*LOCK)
    written, stat = project.lock_path.read_bytes(), project.lock_path.stat()
    repo.commit(SECOND)
    loopback_hub.forget_requests()
    assert "up to date" in project.mlxk(*LOCK)
    assert project.mlxk(*LOCK, "--check") == "up to date\n"
    again = project.lock_path.stat()
    assert (project.lock_path.read_bytes(), again.st_ino, again.st_mtime_ns) == (
        written,
        stat.st_ino,
        stat.st_mtime_ns,
    )
    assert loopback_hub.requests == ()


def test_two_projects_of_one_manifest_have_one_lock_whatever_its_order(
    loopback_hub: LoopbackHub, repo: Repo, project: Site, tmp_path: Path
) -> None:
    repo.tag("v1")
    tables = [entry("a"), entry("b", revision="v1"), '[policy]\nlicenses = ["apache-2.0"]\n']
    locks = set()
    for number, order in enumerate(itertools.islice(itertools.permutations(tables), 3)):
        site = Site(tmp_path / f"project-{number}", loopback_hub.endpoint, store=project.store)
        site.write("".join(order))
        site.mlxk(*LOCK)
        locks.add(site.lock_path.read_bytes())
    assert len(locks) == 1


@pytest.mark.parametrize("moves_at", ["/api/models/org/one/revision/main", "/api/models/org/one/tree"])
@pytest.mark.parametrize("hashes", [True, False])
def test_a_main_that_moves_between_two_requests_is_one_commit(
    loopback_hub: LoopbackHub, repo: Repo, project: Site, moves_at: str, hashes: bool
) -> None:
    first = repo.refs["refs/heads/main"]
    second = repo.commit(SECOND, ref=None)
    if not hashes:
        loopback_hub.sloppy(redirects=True)
    loopback_hub.fault(moves_at, MoveRef(repo=ONE, commit=second))
    entries = {"a": entry("a"), "b": entry("b", exclude=["*.md"]), "c": entry("c", revision=first[:7])}
    if moves_at.endswith("/tree"):
        del entries["c"]  # it may ask for the tree before the others ask what `main` is
    project.write("".join(entries.values()))
    project.mlxk(*LOCK)
    commits = {name: model["commit"] for name, model in project.locked.items()}
    assert commits == dict.fromkeys(entries, first)
    assert [file["path"] for file in project.locked["b"]["files"]] == [
        "config.json",
        "model.safetensors",
        "sub/vocab.txt",
    ]
    before = project.lock_path.read_bytes()
    project.mlxk("sync")
    project.mlxk(*LOCK)
    assert project.lock_path.read_bytes() == before
    project.mlxk("verify")


def test_a_moved_main_reaches_a_lock_by_upgrade_only(repo: Repo, project: Site) -> None:
    first = repo.refs["refs/heads/main"]
    project.write(entry("a") + entry("b", revision="main"))
    project.mlxk(*LOCK)
    second = repo.commit(SECOND)
    project.write(entry("a") + entry("b", exclude=["*.md"]) + entry("new") + '[workspace]\npath = "w"\n')
    project.mlxk(*LOCK)
    assert {model["commit"] for model in project.locked.values()} == {first}
    code, kind, told = project.refusal(*LOCK, "--upgrade-model", "a")
    assert (code, kind) == (2, "ref-clash")
    assert "--upgrade" in told
    project.mlxk(*LOCK, "--upgrade")
    assert {model["commit"] for model in project.locked.values()} == {second}


def test_one_model_is_upgraded_alone(loopback_hub: LoopbackHub, repo: Repo, project: Site) -> None:
    other = loopback_hub.repo("org/two")
    other.commit(FIRST)
    project.write(CHAT + '[models.two]\nrepo = "org/two"\n')
    project.mlxk(*LOCK)
    stays = project.locked["two"]
    first, moved = repo.refs["refs/heads/main"], repo.commit(SECOND)
    other.commit(SECOND)
    assert f"~ chat  {ONE} @ {first[:12]} → {moved[:12]}" in project.mlxk(*LOCK, "-P", "chat")
    assert project.locked["chat"]["commit"] == moved
    assert project.locked["two"] == stays
    code, kind, told = project.refusal(*LOCK, "-P", "caht")
    assert (code, kind) == (2, "usage")
    assert "`chat`, `two`" in told


def test_a_range_moves_to_a_newer_tag_by_upgrade_only(repo: Repo, project: Site) -> None:
    repo.tag("v1.0")
    project.write(f'{CHAT}version = ">=1,<2"\n')
    project.mlxk(*LOCK)
    repo.commit(SECOND)
    repo.tag("v1.1")
    project.mlxk(*LOCK)
    assert project.locked["chat"]["tag"] == "v1.0"
    project.mlxk(*LOCK, "-U")
    assert project.locked["chat"]["tag"] == "v1.1"
    project.mlxk("sync")
    folder = project.models / ".hf_cache/hub/models--org--one/refs"
    assert (folder / "v1.1").read_text() == (folder / "main").read_text() == project.locked["chat"]["commit"]
    project.write(f'{CHAT}version = ">=3"\n')
    code, kind, told = project.refusal(*LOCK)
    assert (code, kind) == (2, "revision-not-found")
    assert "no tag in the range `>=3`" in told


def test_include_and_exclude_choose_files(repo: Repo, project: Site) -> None:
    assert repo.id == ONE
    project.write(f'{CHAT}include = ["*.json", "sub/*"]\nexclude = ["*vocab*"]\n')
    project.mlxk(*LOCK)
    assert [file["path"] for file in project.locked["chat"]["files"]] == ["config.json"]
    project.write(f'{CHAT}include = ["*.gguf"]\n')
    code, kind, told = project.refusal(*LOCK)
    assert (code, kind) == (2, "lock-invalid")
    assert "has no files" in told


def test_a_dry_run_says_what_would_change_and_writes_nothing(repo: Repo, project: Site) -> None:
    project.write(CHAT)
    told = project.mlxk("lock", "--dry-run")
    assert f"+ chat  {ONE} @ {repo.refs['refs/heads/main'][:12]}" in told
    assert "would write models.lock" in told
    assert contents(project.root) == {"models.toml": CHAT.encode()}
    project.mlxk(*LOCK)
    before = contents(project.root)
    repo.commit(SECOND)
    assert project.data("lock", "--dry-run", "--upgrade")["changed"]
    assert contents(project.root) == before


def test_an_upgrade_tells_what_moved_from_where_to_where_and_nothing_else(
    loopback_hub: LoopbackHub, repo: Repo, project: Site
) -> None:
    steady = lock_with_artifact(loopback_hub, project)
    project.write(f'[models.asr]\nrepo = "{steady.id}"\n{CHAT}')
    project.mlxk(*LOCK)
    project.mlxk("sync")
    project.mlxk(*LOCK, "--upgrade")
    assert "blake3" in project.locked["chat"]["files"][0]
    before = project.lock_path.read_bytes()
    shutil.rmtree(project.store)
    told = project.mlxk("lock", "--upgrade", "--dry-run")
    assert told == "models.lock is up to date\n"
    assert project.data("lock", "--upgrade", "--dry-run")["changes"] == []
    first = repo.refs["refs/heads/main"]
    second = repo.commit(SECOND)
    told = project.mlxk("lock", "--upgrade", "--dry-run")
    assert f"~ chat  {ONE} @ {first[:12]} → {second[:12]}" in told
    assert "2 files removed, 2 files changed, +9." in told
    assert "asr" not in told
    (change,) = project.data(*LOCK, "--upgrade-model", "chat")["changes"]
    assert (change["model"], change["from"], change["to"]) == ("chat", first, second)
    assert (change["files_added"], change["files_removed"], change["files_changed"]) == (0, 2, 2)
    assert project.lock_path.read_bytes() != before
    project.write(CHAT)
    assert project.data(*LOCK)["changes"][0]["to"] is None


def test_keep_going_locks_what_can_be_locked_and_keeps_the_rest_as_it_was(repo: Repo, project: Site) -> None:
    first = repo.refs["refs/heads/main"]
    project.write(entry("moved", revision="main") + entry("steady", revision=first))
    project.mlxk(*LOCK)
    before = project.locked
    second = repo.commit(SECOND)
    project.write(
        entry("new", revision=second)
        + entry("moved", revision="gone")
        + '[models.absent]\nrepo = "org/absent"\n'
        + entry("steady", revision=first)
    )
    assert project.refusal(*LOCK)[0] == 2
    assert project.locked == before
    done = project.run(*LOCK, "--keep-going", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["error"]["code"]) == (3, "partial")
    assert told["error"]["message"] == "2 models could not be locked: `moved`, `absent`"
    assert {each["model"]: each["code"] for each in told["data"]["failed"]} == {
        "moved": "revision-not-found",
        "absent": "repo-not-found",
    }
    locked = project.locked
    assert (set(locked), locked["new"]["commit"]) == ({"moved", "new", "steady"}, second)
    assert {name: locked[name] for name in ("moved", "steady")} == before
    assert project.run("lock", "--check").returncode == 1
    project.write(entry("new", revision=second) + entry("steady", revision=first))
    assert "- moved" in project.mlxk(*LOCK, "--keep-going")


def test_keep_going_that_gets_nowhere_is_the_first_error(repo: Repo, project: Site) -> None:
    del repo
    project.write('[models.a]\nrepo = "org/absent"\n\n[models.b]\nrepo = "org/gone"\n')
    code, name, told = project.refusal(*LOCK, "--keep-going")
    assert (code, name) == (2, "repo-not-found")
    assert "org/absent" in told
    assert not project.lock_path.exists()


def test_keep_going_makes_the_same_lock_as_all_at_once(repo: Repo, project: Site) -> None:
    first = repo.refs["refs/heads/main"]
    repo.commit(SECOND)
    project.write(entry("a") + entry("b", revision="main") + entry("c", revision=first))
    project.mlxk(*LOCK, "--keep-going")
    one_by_one = project.lock_path.read_bytes()
    project.lock_path.unlink()
    project.mlxk(*LOCK)
    assert project.lock_path.read_bytes() == one_by_one


def test_a_check_says_in_what_the_lock_is_stale(repo: Repo, project: Site) -> None:
    assert repo.id == ONE
    project.write(CHAT)
    code, kind, _ = project.refusal("lock", "--check")
    assert (code, kind) == (1, "lock-missing")
    project.mlxk(*LOCK)
    project.write('[models.chat]\nrepo = "org/one"\nkind = "text"\n[models.b]\nrepo = "a/b"\n')
    done = project.run("lock", "--check")
    assert done.returncode == 1
    assert '`chat`: `kind` changed from nothing to "text"' in done.stdout
    assert "`b` is not in the lock" in done.stdout
    answer = json.loads(project.run("lock", "--check", "--json").stdout)
    assert (answer["status"], answer["error"]["code"]) == ("error", "lock-stale")
    assert [reason["key"] for reason in answer["data"]["reasons"]] == ["kind", None]


def test_a_check_says_what_lock_would_refuse_or_run_without_a_request(
    loopback_hub: LoopbackHub, repo: Repo, project: Site
) -> None:
    assert repo.license == "apache-2.0"
    quiet = '[models.quiet]\nrepo = "org/one"\ndir = "quiet"\nfirst-run = false\n'
    project.write(CHAT + quiet)
    project.mlxk(*LOCK)
    loopback_hub.forget_requests()
    assert project.data(*LOCK, "--check")["unproven"] == []
    done = project.run("lock", "--check", "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["error"]["code"], answer["data"]["stale"]) == (1, "proof-failed", False)
    assert answer["data"]["unproven"] == [{"model": "chat", "first_run": "default"}]
    assert answer["data"]["unhashed"] == ["chat", "quiet"]
    assert "first run `default` of `chat` is not proven" in project.run("lock", "--check").stdout
    project.write(f'{CHAT}{quiet}[policy]\nlicenses = ["mit"]\n')
    code, kind, _ = project.refusal(*LOCK, "--check")
    assert (code, kind) == (1, "policy")
    assert "has the licence `apache-2.0`" in project.run(*LOCK, "--check").stdout
    assert loopback_hub.requests == ()


def test_a_check_says_when_nothing_is_left_but_to_hash(repo: Repo, project: Site) -> None:
    assert repo.id == ONE
    project.write(f"{CHAT}first-run = false\n")
    project.mlxk(*LOCK)
    assert project.refusal("lock", "--check")[:2] == (1, "proof-failed")
    assert "not every file of `chat` was hashed" in project.run("lock", "--check").stdout
    project.mlxk("lock")
    assert project.mlxk("lock", "--check") == "up to date\n"


def test_a_status_says_what_is_not_proven(repo: Repo, project: Site) -> None:
    assert repo.id == ONE
    project.write(CHAT)
    project.mlxk(*LOCK)
    project.mlxk("sync")
    told = project.mlxk("status")
    assert told.endswith("everything is as the lock says; 1 model not proven offline: run `mlxk lock`\n")
    project.write(f"{CHAT}first-run = false\n")
    project.mlxk(*LOCK)
    assert project.mlxk("status").endswith("everything is as the lock says\n")


def test_a_policy_refuses_before_anything_is_fetched(
    loopback_hub: LoopbackHub, repo: Repo, project: Site
) -> None:
    assert repo.license == "apache-2.0"
    project.write(f'{CHAT}[policy]\nlicenses = ["mit"]\n')
    code, kind, told = project.refusal(*LOCK)
    assert (code, kind) == (1, "policy")
    assert "has the licence `apache-2.0`" in told
    assert not project.lock_path.exists()
    assert not [request for request in loopback_hub.requests if "resolve" in request.path]


def test_renamed_and_unnamespaced_repos_keep_the_name_that_was_asked(
    loopback_hub: LoopbackHub, repo: Repo, project: Site
) -> None:
    commit = repo.refs["refs/heads/main"]
    loopback_hub.rename(ONE, "new/name")
    loopback_hub.alias("t5-tiny", "new/name")
    project.write(f'{CHAT}[models.t5]\nrepo = "t5-tiny"\n')
    project.mlxk(*LOCK)
    for name in ("chat", "t5"):
        locked = project.locked[name]
        assert (locked["canonical"], locked["commit"]) == ("new/name", commit)
    project.mlxk("sync")
    assert (project.models / "t5-tiny/config.json").read_bytes() == FIRST["config.json"]
    hub = project.models / ".hf_cache/hub"
    assert (hub / f"models--t5-tiny/snapshots/{commit}/config.json").resolve().is_file()
    assert (hub / f"models--org--one/snapshots/{commit}/config.json").resolve().is_file()


SECRET = "hf_" + "s" * 34


def everything_on_disk(*roots: Path) -> Iterator[bytes]:
    for root in roots:
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                yield path.read_bytes()


@pytest.mark.parametrize("kind", ["gated", "private"])
def test_a_gated_or_private_repo_opens_with_the_token_that_is_written_nowhere(
    loopback_hub: LoopbackHub, project: Site, kind: str
) -> None:
    loopback_hub.repo("org/closed", gated=kind == "gated", private=kind == "private").commit(FIRST)
    loopback_hub.user(SECRET, grants=["org/closed"])
    project.write('[models.chat]\nrepo = "org/closed"\n')
    locked = project.run(*LOCK)
    if kind == "private":
        assert locked.returncode == 2
        assert "`org/closed`" in locked.stderr
        assert "MLXK_ENDPOINT_TOKEN" in locked.stderr
        assert not project.lock_path.exists()
    else:
        assert locked.returncode == 0, locked.stderr
        assert project.locked["chat"]["gated"]
        code, error, told = project.refusal("sync")
        assert (code, error) == (2, "auth-gated")
        assert "/org/closed" in told
        assert not project.models.exists()
    project.env["HF_TOKEN"] = SECRET
    assert project.run("sync" if kind == "gated" else "lock").returncode == 2
    project.env["MLXK_ENDPOINT_TOKEN"] = SECRET
    project.mlxk(*LOCK)
    project.mlxk("sync", "-v")
    assert (project.models / "closed/config.json").read_bytes() == FIRST["config.json"]
    assert not any(SECRET.encode() in data for data in everything_on_disk(project.root.parent))


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        ('[models.x]\nrepo = "org/nowhere"\n', "repo-not-found"),
        (f'{CHAT}revision = "v9"\n', "revision-not-found"),
        (f'{CHAT}revision = "{"0" * 40}"\n', "revision-not-found"),
    ],
)
def test_what_the_hub_does_not_have_is_one_error_and_no_lock(
    repo: Repo, project: Site, manifest: str, code: str
) -> None:
    assert repo.id == ONE
    project.write(manifest)
    assert project.refusal(*LOCK)[:2] == (2, code)
    assert contents(project.root) == {"models.toml": manifest.encode()}


def test_every_model_that_the_hub_refuses_is_named_at_once(repo: Repo, project: Site) -> None:
    assert repo.id == ONE
    absent = '[models.speech]\nrepo = "org/absent"\n'
    project.write(CHAT + absent)
    code, kind, told = project.refusal(*LOCK)
    assert (code, kind) == (2, "repo-not-found")
    assert "there is no repo `org/absent`" in told
    assert "needed by `speech`" in told
    project.write(CHAT + absent + entry("old", revision="v9"))
    done = project.run(*LOCK)
    assert done.returncode == 2
    assert "error: 2 models cannot be resolved" in done.stderr
    assert "`speech`: there is no repo `org/absent`" in done.stderr
    assert f"`old`: `{ONE}` has no revision `v9`" in done.stderr
    assert not project.lock_path.exists()


def test_a_lock_of_a_newer_revision_is_used_and_never_written(repo: Repo, project: Site) -> None:
    assert repo.id == ONE
    project.write(CHAT)
    project.mlxk(*LOCK)
    text = project.lock_path.read_text()
    newer = text.replace("revision = 1", "revision = 2", 1).replace('name = "chat"', 'name = "chat"\nx = 1')
    project.lock_path.write_text(newer)
    for verb in ("sync", "status", "verify"):
        done = project.run(verb)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning: `models.lock` has revision 2, and this mlxlock reads 1" in done.stderr
    project.mlxk("tree")
    for refused in (LOCK, (*LOCK, "--upgrade"), ("add", "org/two", "--no-capture"), ("remove", "chat")):
        code, kind, told = project.refusal(*refused)
        assert (code, kind) == (2, "lock-newer")
        assert "upgrade mlxlock" in told
        assert project.lock_path.read_text() == newer
        assert (project.root / "models.toml").read_text() == CHAT
    project.lock_path.write_text(text.replace("version = 1", "version = 2", 1))
    assert project.refusal("sync")[:2] == (2, "lock-newer")


def test_a_lock_without_captures_keeps_what_first_runs_brought(
    loopback_hub: LoopbackHub, project: Site
) -> None:
    repo = lock_with_artifact(loopback_hub, project)
    before = project.lock_path.read_bytes()
    project.mlxk(*LOCK, "--upgrade")
    assert project.lock_path.read_bytes() == before
    moved = repo.commit({"config.json": b'{"new": 1}'})
    project.mlxk(*LOCK, "--upgrade")
    entry = project.locked["asr"]
    assert entry["commit"] == moved
    assert [artifact["repo"] for artifact in entry["artifact"]] == [TOK]


def test_a_lock_without_captures_answers_no_pin_of_what_they_bring(
    loopback_hub: LoopbackHub, project: Site
) -> None:
    lock_with_artifact(loopback_hub, project)
    before = project.lock_path.read_bytes()
    manifest = (project.root / "models.toml").read_text()
    project.write(f'{manifest}\n[artifacts."{TOK}"]\nrevision = "v1"\n')
    done = project.run(*LOCK)
    assert done.returncode == 0
    assert "only `mlxk lock` without `--no-capture` can answer that" in done.stderr
    assert project.lock_path.read_bytes() == before
    assert project.refusal("lock", "--check")[:2] == (1, "lock-stale")
