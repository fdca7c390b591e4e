"""Where the store and the Hugging Face cache are, by the environment alone."""

from pathlib import Path

import pytest

from mlxlock.store import default_hf_caches, default_store_dir

HOME = Path("/home/ada")
HERE = Path.cwd()

STORES = [
    ({}, "linux", HOME / ".cache/mlxlock"),
    ({}, "darwin", HOME / "Library/Caches/mlxlock"),
    ({"XDG_CACHE_HOME": "/c"}, "linux", Path("/c/mlxlock")),
    ({"XDG_CACHE_HOME": "/c"}, "darwin", HOME / "Library/Caches/mlxlock"),
    ({"XDG_CACHE_HOME": "", "MLXK_STORE_DIR": ""}, "linux", HOME / ".cache/mlxlock"),
    ({"MLXK_STORE_DIR": "/s", "XDG_CACHE_HOME": "/c"}, "linux", Path("/s")),
    ({"MLXK_STORE_DIR": "/s"}, "darwin", Path("/s")),
    ({"MLXK_STORE_DIR": "s"}, "linux", HERE / "s"),
    ({"MLXK_STORE_DIR": "~/s"}, "linux", HOME / "s"),
]

CACHES = [
    ({}, HOME / ".cache/huggingface/hub"),
    ({"XDG_CACHE_HOME": "/c"}, Path("/c/huggingface/hub")),
    ({"HF_HOME": "/h", "XDG_CACHE_HOME": "/c"}, Path("/h/hub")),
    ({"HF_HUB_CACHE": "/b", "HF_HOME": "/h"}, Path("/b")),
    ({"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/h"}, Path("/old")),
    ({"HF_HUB_CACHE": "", "HF_HOME": "", "XDG_CACHE_HOME": ""}, HOME / ".cache/huggingface/hub"),
    ({"HF_HOME": "~/h"}, HOME / "h/hub"),
    ({"HF_HOME": "h"}, HERE / "h/hub"),
]


@pytest.mark.parametrize(("env", "platform", "expected"), STORES)
def test_the_store_is_where_the_environment_says(env: dict[str, str], platform: str, expected: Path) -> None:
    assert default_store_dir(env, platform, HOME) == expected


@pytest.mark.parametrize(("env", "expected"), CACHES)
def test_the_cache_is_where_huggingface_hub_has_it(env: dict[str, str], expected: Path) -> None:
    assert default_hf_caches(env, HOME) == (expected,)
