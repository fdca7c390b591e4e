"""Completion, in the shells themselves: verbs, options, and the names of what the project has."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlxlock.spec.lockfile_writer import format_lockfile
from tests.commands.site import Site
from tests.spec.locks import LOCK

BASH = """
eval "$(%(name)s completion bash)"
COMP_WORDS=(%(line)s); COMP_CWORD=%(last)s
_%(name)s_completion %(name)s "%(word)s"
printf '%%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { :; }
compadd() { print -rl -- "${(@P)@[-1]}"; }
_describe() { print -rl -- "${(@P)3}"; }
eval "$(%(name)s completion zsh)"
words=(%(line)s); CURRENT=$((%(last)s + 1))
_%(name)s_completion
"""
FISH = """
%(name)s completion fish | source
complete --do-complete "%(plain)s"
"""
SHELLS = {
    "bash": ("bash", "--norc", "-c", BASH),
    "zsh": ("zsh", "-f", "-c", ZSH),
    "fish": ("fish", "-c", FISH),
}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "project", "http://127.0.0.1:9")
    site.write('[models.chat]\nrepo = "org/chat"\n')
    site.lock_path.write_text(format_lockfile(LOCK))
    return site


def offered(site: Site, shell: str, *words: str, more: dict[str, str] | None = None) -> set[str]:
    """What a shell offers for the last word."""
    *program, script = SHELLS[shell]
    text = script % {
        "name": words[0],
        "line": " ".join(f"'{word}'" for word in words),
        "plain": " ".join(words),
        "last": len(words) - 1,
        "word": words[-1],
    }
    if sys.platform == "darwin" and shell != "zsh":
        pytest.skip("macOS ships no fish, and a bash too old to be completed")
    assert shutil.which(program[0]), f"tests/run.sh installs {shell}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*program, text],
        cwd=site.root,
        env={**site.env, "PATH": path, "XDG_CONFIG_HOME": str(site.root), **(more or {})},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return {line.partition("\t")[0].partition(":")[0] for line in done.stdout.splitlines() if line}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", ["mlxk", "mlxlock"])
def test_verbs_under_both_names(site: Site, shell: str, name: str) -> None:
    assert offered(site, shell, name, "sy") == {"sync"}


@pytest.mark.parametrize("shell", SHELLS)
def test_names_of_models_from_manifest_and_lock(site: Site, shell: str) -> None:
    locked = {model.name for model in LOCK.models}
    assert "chat" not in locked
    assert offered(site, shell, "mlxk", "run", "") >= {"chat", *locked}
    assert offered(site, shell, "mlxk", "remove", "ch") == {"chat"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("mlxk", "sync", "--loc"), {"--locked"}),
        (("mlxk", "why", "Qwen"), {"Qwen/Qwen2.5-7B"}),
        (("mlxk", "lock", "-P", "ch"), {"chat"}),
        (("mlxk", "completion", "z"), {"zsh"}),
        (("mlxk", "sync", "--adopt", "c"), {"copy"}),
    ],
)
def test_options_repos_and_choices(site: Site, words: tuple[str, ...], expected: set[str]) -> None:
    assert offered(site, "bash", *words) == expected


def test_another_project_is_asked_where_one_is_named(site: Site, tmp_path: Path) -> None:
    other = Site(tmp_path / "other", "http://127.0.0.1:9")
    other.write('[models.elsewhere]\nrepo = "org/x"\n')
    assert offered(site, "bash", "mlxk", "--project", "../other", "run", "") == {"elsewhere"}
    assert offered(site, "bash", "mlxk", "run", "", more={"MLXK_PROJECT": str(other.root)}) == {"elsewhere"}


@pytest.mark.parametrize("verb", ["run", "show", "health", "convert", "push"])
def test_models_of_the_machine_where_a_verb_takes_them(site: Site, tmp_path: Path, verb: str) -> None:
    (tmp_path / "home" / "whisper-tiny").mkdir(parents=True)
    (tmp_path / "home" / "whisper-tiny" / "config.json").write_text("{}")
    more = {"MLXK_WORKSPACE_HOME": str(tmp_path / "home")}
    assert offered(site, "bash", "mlxk", verb, "whi", more=more) == {"whisper-tiny"}
    assert offered(site, "bash", "mlxk", verb, "ch", more=more) == {"chat"}


def test_a_broken_project_offers_nothing_and_says_nothing(site: Site) -> None:
    site.write("[models")
    site.lock_path.write_text("<<<<<<< ours\n")
    assert offered(site, "bash", "mlxk", "run", "") == set()
    assert offered(site, "bash", "mlxk", "why", "") == set()
