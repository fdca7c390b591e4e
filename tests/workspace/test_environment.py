"""What child processes see: no secret of the user's, no cache outside the workspace, nothing relative."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.workspace.environment import Overlay, Shell, as_shell, overlay, strict

ROOT = Path("/ws")
SCRATCH = Path("/scratch")
USER = {
    "PATH": "/opt/bin:/usr/bin",
    "HOME": "/home/me",
    "LANG": "de_DE.UTF-8",
    "HF_TOKEN": "hf_secret",
    "HUGGING_FACE_HUB_TOKEN": "hf_secret",
    "AWS_SECRET_ACCESS_KEY": "aws_secret",
    "SSH_AUTH_SOCK": "/run/agent",
    "HF_HUB_CACHE": "/elsewhere",
    "HUGGINGFACE_HUB_CACHE": "/elsewhere",
    "TRANSFORMERS_CACHE": "/elsewhere",
    "HTTPS_PROXY": "http://proxy:3128",
    "https_proxy": "http://proxy:3128",
    "MLXLM_USE_MODELSCOPE": "true",
    "PYTHONSTARTUP": "/home/me/.pythonrc",
    "LD_PRELOAD": "/evil.so",
}
HARMLESS = {
    *("LANG", "LC_ALL", "LC_CTYPE", "TZ", "__CF_USER_TEXT_ENCODING"),
    *("TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR"),
    *("PATH", "LD_LIBRARY_PATH", "NIX_LD", "NIX_LD_LIBRARY_PATH"),
    *("CUDA_VISIBLE_DEVICES", "DEVELOPER_DIR", "SDKROOT"),
}
_PLACES = (
    "HF_HOME",
    "HOME",
    "TMPDIR",
    "PYTHONPATH",
    "PIP_TARGET",
    "NLTK_DATA",
    "TORCH_HOME",
    "XDG_CACHE_HOME",
)


def test_a_strict_environment_holds_no_secret_and_no_place_of_the_users() -> None:
    variables = strict(ROOT, SCRATCH, USER).variables
    assert not [name for name, value in variables.items() if "secret" in value or "elsewhere" in value]
    assert not {"https_proxy", "MLXLM_USE_MODELSCOPE", "LD_PRELOAD", "SSH_AUTH_SOCK", "PYTHONSTARTUP"} & set(
        variables
    )
    assert not [name for name in variables if name.lower() in {"http_proxy", "https_proxy", "all_proxy"}]
    assert "/home/me" not in "".join(variables.values())


@given(st.dictionaries(st.text(min_size=1), st.just("INHERITED-SECRET")))
def test_no_inherited_name_outside_the_short_list_gets_through(inherited: dict[str, str]) -> None:
    harmless = strict(ROOT, SCRATCH, dict.fromkeys(strict(ROOT, SCRATCH, {}).variables, "x") | inherited)
    leaked = {name for name, value in harmless.variables.items() if value == "INHERITED-SECRET"}
    assert leaked <= HARMLESS


def test_path_and_locale_pass_and_have_defaults() -> None:
    assert strict(ROOT, SCRATCH, USER).variables["PATH"] == "/opt/bin:/usr/bin"
    assert strict(ROOT, SCRATCH, USER).variables["LANG"] == "de_DE.UTF-8"
    bare = strict(ROOT, SCRATCH, {"PATH": ""}).variables
    assert bare["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert bare["LANG"] == "C.UTF-8"


def test_every_place_is_absolute_and_inside_the_workspace_or_scratch() -> None:
    made = strict(Path("models"), Path("scratch"), {})
    here = Path.cwd()
    assert made.variables["HF_HOME"] == str(here / "models/.hf_cache")
    named = {Path(made.variables[name]) for name in _PLACES}
    assert all(
        place.is_relative_to(here / "models/.hf_cache") or place.is_relative_to(here / "scratch")
        for place in named
    )
    assert named <= set(made.directories)
    assert all(directory.is_absolute() for directory in made.directories)


def test_another_directory_can_stand_for_the_cache() -> None:
    made = strict(ROOT, SCRATCH, USER, cache=Path("/mine")).variables
    assert (made["HF_HOME"], made["HF_HUB_CACHE"], made["HOME"]) == ("/mine", "/mine/hub", "/mine/home")
    assert not [name for name in _PLACES if Path(made[name]).is_relative_to(ROOT)]


def test_strict_is_offline_unless_a_mirror_is_named() -> None:
    offline = strict(ROOT, SCRATCH, USER).variables
    assert offline["HF_HUB_OFFLINE"] == offline["TRANSFORMERS_OFFLINE"] == "1"
    assert "HF_ENDPOINT" not in offline
    mirrored = strict(ROOT, SCRATCH, USER, endpoint="http://127.0.0.1:8123/s3cr3t").variables
    assert mirrored["HF_ENDPOINT"] == "http://127.0.0.1:8123/s3cr3t"
    assert mirrored["HF_HUB_ETAG_TIMEOUT"] == mirrored["HF_HUB_DOWNLOAD_TIMEOUT"] == "3600"
    assert mirrored["NO_PROXY"] == mirrored["no_proxy"] == "127.0.0.1,localhost"
    assert not {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} & set(mirrored)


def _constants(variables: Mapping[str, str]) -> dict[str, str]:
    """What huggingface_hub itself makes of an environment."""
    names = ("HF_HUB_CACHE", "HF_ASSETS_CACHE", "HF_TOKEN_PATH", "HF_XET_CACHE", "HF_HUB_OFFLINE")
    code = f"from huggingface_hub import constants as c; [print(getattr(c, name)) for name in {names}]"
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(
        command, env=dict(variables), capture_output=True, text=True, check=True, timeout=240
    )
    return dict(zip(names, done.stdout.splitlines(), strict=True))


def test_huggingface_hub_reads_it_as_meant() -> None:
    assert _constants(strict(ROOT, SCRATCH, USER).variables) == {
        "HF_HUB_CACHE": "/ws/.hf_cache/hub",
        "HF_ASSETS_CACHE": "/ws/.hf_cache/assets",
        "HF_TOKEN_PATH": "/scratch/no-token",
        "HF_XET_CACHE": "/scratch/xet",
        "HF_HUB_OFFLINE": "True",
    }


def test_huggingface_hub_follows_an_overlay_and_finds_the_users_login() -> None:
    own = {"PATH": os.environ["PATH"], "HOME": "/home/me", "HF_HUB_CACHE": "/elsewhere"}
    seen = _constants(overlay(ROOT, own).over(own))
    assert seen["HF_HUB_CACHE"] == "/ws/.hf_cache/hub"
    assert Path(seen["HF_TOKEN_PATH"]) == Path("/home/me/.cache/huggingface/token")
    assert seen["HF_HUB_OFFLINE"] == "True"
    assert (
        _constants(overlay(ROOT, own, online=True).over({**own, "HF_HUB_OFFLINE": "1"}))["HF_HUB_OFFLINE"]
        == "False"
    )


@pytest.mark.parametrize(
    ("inherited", "expected"),
    [
        ({"HF_TOKEN_PATH": "/my/token", "HOME": "/home/me"}, "/my/token"),
        ({"HF_HOME": "/hf", "HOME": "/home/me"}, "/hf/token"),
        ({"HF_HOME": "~/hf", "HOME": "/home/me"}, "/home/me/hf/token"),
        ({"HF_HOME": "", "XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}, "/xdg/huggingface/token"),
        ({}, None),
    ],
)
def test_the_login_stays_where_it_was(inherited: dict[str, str], expected: str | None) -> None:
    assert overlay(ROOT, inherited).over(inherited).get("HF_TOKEN_PATH") == expected


def test_an_overlay_leaves_the_rest_of_the_users_environment_alone() -> None:
    changed = overlay(ROOT, USER)
    assert not {"HOME", "TMPDIR", "PATH", "PIP_TARGET", "XDG_CACHE_HOME", "HF_TOKEN"} & {
        *changed.variables,
        *changed.unset,
    }
    assert not set(changed.variables) & set(changed.unset)
    over = changed.over(USER)
    assert over["HF_TOKEN"] == USER["HF_TOKEN"]
    assert not {"HUGGINGFACE_HUB_CACHE", "MLXLM_USE_MODELSCOPE", "TRANSFORMERS_CACHE"} & set(over)


def test_the_users_own_modules_come_before_those_of_the_workspace() -> None:
    assert overlay(ROOT, {"PYTHONPATH": "/mine"}).variables["PYTHONPATH"] == "/mine:/ws/.hf_cache/python"
    assert overlay(ROOT, {"PYTHONPATH": ""}).variables["PYTHONPATH"] == "/ws/.hf_cache/python"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_sh_gets_back_exactly_what_was_quoted(text: str) -> None:
    changed = Overlay(
        variables={"HF_HOME": text}, unset=("MLXLM_USE_MODELSCOPE",), directories=(), derived=()
    )
    script = f'{as_shell(changed)}printf %s "$HF_HOME"; printf %s "${{MLXLM_USE_MODELSCOPE-gone}}"'
    env = {"MLXLM_USE_MODELSCOPE": "true"}
    done = subprocess.run(["/bin/sh", "-euc", script], env=env, capture_output=True, check=True, timeout=60)
    assert done.stdout == text.encode() + b"gone"


@pytest.mark.parametrize("shell", ["sh", "fish"])
def test_fish_and_sh_set_the_same(shell: Shell, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    changed = overlay(Path("/it's \\a $HOME"), {"HOME": "/home/me"})
    script = tmp_path / "env"
    script.write_text(
        f"{as_shell(changed, shell)}{sys.executable} -c 'import os; print(os.environ[\"HF_HOME\"])'"
    )
    done = subprocess.run([program, str(script)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "/it's \\a $HOME/.hf_cache\n"


def test_fish_quotes_backslashes_and_quotes() -> None:
    changed = Overlay(variables={"A": "it's \\n"}, unset=("B",), directories=(), derived=())
    assert as_shell(changed, "fish") == "set -gx A 'it\\'s \\\\n';\nset -e B;\n"
