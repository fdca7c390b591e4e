"""Whatever goes wrong: one error in the form that was asked for, its exit code, and no traceback."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mlxlock.cli.early import look_of, verb_of
from mlxlock.cli.main import run
from tests.commands.site import Site
from tests.testhub import LoopbackHub, Slow, lfs

MANIFEST = '[models.one]\nrepo = "org/one"\n'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "project", "http://127.0.0.1:9")
    site.write(MANIFEST)
    return site


WRONG = {
    "unknown option": (("sync", "--jsn"), "sync", "no option `--jsn`, did you mean `--json`?"),
    "unknown option far": (("sync", "--zzzz"), "sync", "no option `--zzzz`"),
    "unknown verb": (("lokc",), None, "no command `lokc`, did you mean `lock`?"),
    "unknown verb far": (("zzzz",), None, "no command `zzzz`"),
    "help of an unknown verb": (("help", "lokc"), None, "no command `lokc`, did you mean `lock`?"),
    "missing argument": (("why",), "why", "missing argument `WHAT`"),
    "too many": (("status", "extra"), "status", "got unexpected extra argument (extra)"),
    "bad choice": (("sync", "--adopt", "steal"), "sync", "`steal` is not one of `copy`, `link`, `none`"),
    "bad number": (("sync", "-j", "0"), "sync", "0 is not in the range 1<=x<=64"),
    "no value": (("sync", "--project"), "sync", "option `--project` requires an argument"),
    "no directory": (("sync", "--project", "nowhere"), "sync", ": directory `nowhere` does not exist"),
    "both": (("sync", "--locked", "--frozen"), "sync", "`--locked` and `--frozen` exclude each other"),
    "none of few": (
        ("completion",),
        "completion",
        "missing argument `{bash|zsh|fish}`: one of bash, zsh, fish",
    ),
    "online, offline": (
        ("run", "--online", "--offline", "m"),
        "run",
        "`--online` and `--offline` contradict",
    ),
    "no verb": (("--offline",), None, "no command given"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("where", ["before", "after", "text"])
def test_a_wrong_command_line_is_one_usage_error(
    case: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, verb, told = WRONG[case]
    given = {"before": ("--json", *argv), "after": (argv[0], "--json", *argv[1:]), "text": argv}
    assert run(given[where]) == 2
    out, err = capsys.readouterr()
    if where == "text":
        assert out == ""
        assert err.startswith("error: ")
        assert told in err
        assert "\n\nhint: see `mlxk" in err
        return
    answer = json.loads(out)
    assert err == ""
    assert (answer["status"], answer["command"], answer["data"]) == ("error", verb, None)
    assert answer["error"]["code"] == "usage"
    assert told in answer["error"]["message"]
    assert answer["error"]["message"][0].islower() or answer["error"]["message"][0] in "`0"
    assert "--help" in answer["error"]["hint"]


def test_also_from_another_process(site: Site) -> None:
    done = site.run("sync", "--jsn", "--json")
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout)["error"]["code"] == "usage"


def test_an_environment_variable_that_is_wrong_is_named(site: Site) -> None:
    done = site.run("sync", more={"MLXK_CONCURRENT_DOWNLOADS": "many"})
    assert done.returncode == 2
    assert "(from `MLXK_CONCURRENT_DOWNLOADS`)" in done.stderr
    assert "(from" not in site.run("sync", "-j", "many").stderr


def test_the_arguments_of_a_child_are_not_ours() -> None:
    assert not look_of(["exec", "--", "python", "--json"]).json
    assert not look_of(["exec", "python", "--json"]).json
    assert look_of(["--json", "exec", "python"]).json
    assert look_of(["exec", "--json", "python"]).json
    assert look_of(["sync", "--color=never", "-qv"]).color == "never"
    assert look_of(["sync", "--color", "always", "-vv"]).color == "always"
    assert (look_of(["sync", "-qv"]).verbose, look_of(["sync", "-q"]).verbose) == (1, 0)
    assert look_of(["exec", "--project", "x", "--json", "python"]).json
    assert look_of(["run", "exec", "--json"]).json
    assert verb_of(["--project", "lock", "sync", "lock"]) == "sync"


BUG = """
import sys, types
import click
from mlxlock.cli import verbs

@click.command()
def bug():
    return [][0]

sys.modules["bug"] = types.ModuleType("bug")
sys.modules["bug"].bug = bug
verbs.VERBS["bug"] = ("bug", "A verb with a bug.")
from mlxlock.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


def buggy(site: Site, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BUG, *argv]
    return subprocess.run(command, env=site.env, capture_output=True, text=True, timeout=240, check=False)


def test_a_bug_says_that_it_is_one_and_where_only_when_asked(site: Site) -> None:
    done = buggy(site, "bug")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: IndexError: list index out of range\n\nhint: this is a bug in mlxlock"
    )
    assert "`-v`" in done.stderr
    assert "Traceback" in buggy(site, "-v", "bug").stderr
    answer = json.loads(buggy(site, "--json", "bug").stdout)
    assert answer["error"]["code"] == "internal"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_ctrl_c_is_130_and_says_how_to_go_on(tmp_path: Path, form: tuple[str, ...]) -> None:
    with LoopbackHub() as hub:
        hub.repo("org/one").commit({"config.json": b"{}", "w.safetensors": lfs(b"w" * 3_000_000)})
        site = Site(tmp_path / "project", hub.endpoint)
        site.write(MANIFEST)
        site.mlxk("lock", "--no-capture")
        hub.fault("w.safetensors", Slow(delay_s=900), server="cdn", times=None)
        process = subprocess.Popen(
            site.command("sync", *form),
            cwd=site.root,
            env=site.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not any("w.safetensors" in request.path for request in hub.requests):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert "Traceback" not in err
    if form:
        answer: dict[str, Any] = json.loads(out)
        assert answer["error"]["code"] == "interrupted"
        assert answer["command"] == "sync"
    else:
        assert err.endswith("error: interrupted\n\nhint: run the same command again to continue\n")


EARLY = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.addaudithook(lambda event, told: os.kill(os.getpid(), signal.SIGINT)
                 if event == "import" and told[0] == "click.core" else None)
from mlxlock.__main__ import main
main()
"""


def test_ctrl_c_while_python_still_imports_is_130_too(site: Site) -> None:
    command = [sys.executable, "-c", EARLY, "status"]
    done = subprocess.run(command, env=site.env, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("argv", [("--help",), ("status",), ("status", "--json"), ("sync", "--zzz")])
def test_a_reader_who_has_enough_changes_no_exit_code_and_hears_nothing(
    site: Site, argv: tuple[str, ...]
) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        site.command(*argv), cwd=site.root, env=site.env, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert b"BrokenPipe" not in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.returncode == {"--help": 0, "status": 1, "sync": 2}[argv[0]]


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="Linux's device")
@pytest.mark.parametrize("argv", [("--version",), ("--help",), ("status",), ("status", "--json")])
def test_a_full_disk_behind_stdout_is_one_error_on_stderr(site: Site, argv: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            site.command(*argv), cwd=site.root, env=site.env, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: the answer cannot be written: no space left on device\n")
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("descriptor", [0, 1, 2])
@pytest.mark.parametrize("argv", [("--version",), ("status",), ("sync", "--zzz")])
def test_a_closed_stream_changes_no_exit_code(site: Site, argv: tuple[str, ...], descriptor: int) -> None:
    script = f'exec "$@" {descriptor}{"<" if descriptor == 0 else ">"}&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *site.command(*argv)],
        cwd=site.root,
        env=site.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == {"--version": 0, "status": 1, "sync": 2}[argv[0]]
    assert "Traceback" not in done.stderr


def test_a_terminal_without_unicode_gets_escapes_and_no_crash(site: Site) -> None:
    site.write('[models.one]\nrepo = "org/one"\n\n[models.two]\nrepo = "org/…"\n')
    more = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    assert "\\u2026" in site.run("status", more=more).stderr
    assert site.run("sync", "--help", more=more).returncode == 0
    assert json.loads(site.run("status", "--json", more=more).stdout)["error"]["code"] == "manifest-invalid"


@pytest.mark.parametrize(
    ("more", "argv", "told"),
    [
        ({}, ("--offline",), "--offline"),
        ({"MLXK_OFFLINE": "1"}, (), "MLXK_OFFLINE"),
        ({"HF_HUB_OFFLINE": "1"}, (), "HF_HUB_OFFLINE"),
        ({"HF_HUB_OFFLINE": "yes"}, (), "HF_HUB_OFFLINE"),
        ({"TRANSFORMERS_OFFLINE": "1"}, (), "TRANSFORMERS_OFFLINE"),
        ({"HF_HUB_OFFLINE": "1", "MLXK_OFFLINE": "1"}, ("--offline",), "--offline"),
    ],
)
def test_offline_says_who_asked_for_it(
    site: Site, more: dict[str, str], argv: tuple[str, ...], told: str
) -> None:
    code, name, error = site.refusal("lock", "--no-capture", *argv, more=more)
    assert (code, name) == (2, "offline-missing")
    assert f"(`{told}`)" in error
    assert f"without `{told}`" in error


def test_offline_of_env_is_told_as_such(site: Site) -> None:
    lines = json.loads(site.run("env", "--json").stdout)["data"]["set"]
    told = site.refusal(
        "lock", "--no-capture", more={name: lines[name] for name in ("MLXK_ENV", "HF_HUB_OFFLINE")}
    )[2]
    assert f"(`MLXK_ENV={site.models}`)" in told
    assert "`unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE`" in told


@pytest.mark.parametrize("more", [{"HF_HUB_OFFLINE": "0"}, {"MLXK_OFFLINE": "0"}, {"HF_HUB_OFFLINE": ""}])
def test_offline_is_off_when_it_is_said_to_be(site: Site, more: dict[str, str]) -> None:
    assert site.refusal("lock", "--no-capture", more=more)[1] == "hub-unreachable"
