"""What needs no place in a lock, and what does although it looks alike."""

import pytest

from mlxlock.planning.derived import is_derived


@pytest.mark.parametrize(
    "path",
    [
        "python/tiny/__pycache__/x.cpython-311.pyc",
        "python/tiny/x.pyc",
        "python/tiny-1.0.dist-info/RECORD",
        "python/tiny-1.0.dist-info/INSTALLER",
        "python/tiny-1.0.dist-info/REQUESTED",
        "python/tiny-1.0.dist-info/direct_url.json",
        "python/bin/tiny",
        "hub/.locks/models--org--m/abc.lock",
        "hub/models--org--m/trees/abc.json",
        "hub/models--org--m/blobs/abc.incomplete",
        "hub/version.txt",
        "hub/CACHEDIR.TAG",
        "xet/logs/x",
        "modules/transformers_modules/x.py",
        "xdg/fontconfig/a.cache-9",
        "home/.cache/matplotlib/fontlist.json",
        "home/.cache/x/y.lock",
        ".agent_harnesses.json",
        "home/Library/Caches/com.apple.python/x",
        "home/Library/Caches/pip/http/x",
    ],
)
def test_what_is_made_again_is_derived(path: str) -> None:
    assert is_derived(path, 0)


@pytest.mark.parametrize(
    "path",
    [
        "RECORD",
        "python/tiny/RECORD",
        "python/tiny-1.0.dist-info/METADATA",
        "python/tiny-1.0.dist-info/entry_points.txt",
        "python/binary/x",
        "home/.cache/matplotlib2/x",
        "home/.cache/pip.conf",
        "home/Library/Caches/org.somebody/x",
        "home/modules/x",
        "hub/models--org--m/blobs/abc",
        "trees/a/b",
        "mlx_audio/voices/a.json",
        "mlx_audio/lock",
    ],
)
def test_what_is_somebodys_is_not(path: str) -> None:
    assert not is_derived(path, 0)


def test_a_lock_file_with_bytes_is_a_file() -> None:
    assert is_derived("home/models.lock", 0)
    assert not is_derived("home/models.lock", 1)
