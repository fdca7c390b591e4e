"""`mlxk init`: a manifest, and what git must know about the workspace and the lock."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.errors import UsageError
from mlxlock.fs import disk_errors, write_atomic
from mlxlock.spec.manifest import DEFAULT_WORKSPACE
from mlxlock.spec.manifest_edit import new_manifest
from mlxlock.steps.project import LOCKFILE_NAME, MANIFEST_NAME
from mlxlock.steps.report import Line, Report

IGNORED: Final = f"/{DEFAULT_WORKSPACE}/"
ATTRIBUTE: Final = f"{LOCKFILE_NAME} linguist-generated=true text eol=lf"
GIT_TIMEOUT_S: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    """Whether an existing manifest may be replaced."""

    force: bool = False


def init(root: Path, options: InitOptions) -> Report:
    """Make `models.toml`, and add a line to `.gitignore` and `.gitattributes` where it is missing.

    Raises:
        UsageError: There is a manifest already.
        DiskError: The disk refuses.
    """
    manifest = root / MANIFEST_NAME
    if manifest.exists() and not options.force:
        raise UsageError(f"`{manifest}` is there already", hint="`mlxk init --force` replaces it")
    write_atomic(manifest, new_manifest().encode())
    written = [MANIFEST_NAME]
    written += [name for name, line in _git_files() if _add_line(root / name, line)]
    warnings = tuple(_warnings(root))
    lines = [Line(f"wrote {name}", "good") for name in written]
    lines += [Line(f"warning: {warning}", "warning") for warning in warnings]
    lines.append(Line("next: `mlxk add mlx-community/Qwen3-4B-Instruct-2507-4bit`", "hint"))
    return Report(
        command="init",
        data={"written": written, "warnings": list(warnings)},
        lines=tuple(lines),
    )


def _git_files() -> tuple[tuple[str, str], ...]:
    return ((".gitignore", IGNORED), (".gitattributes", ATTRIBUTE))


def _add_line(path: Path, line: str) -> bool:
    """Append a line that is not there yet; everything else stays byte for byte."""
    with disk_errors(path, doing="read"):
        before = path.read_bytes() if path.exists() else b""
    if line.encode() in before.splitlines():
        return False
    gap = b"" if not before or before.endswith(b"\n") else b"\n"
    return write_atomic(path, before + gap + line.encode() + b"\n")


def _warnings(root: Path) -> Iterator[str]:
    """The lock must be committed: say so when git would ignore it."""
    command = ("git", "-C", str(root), "check-ignore", "--verbose", LOCKFILE_NAME)
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return
    if answer.returncode == 0:
        where = answer.stdout.split("\t")[0]
        yield f"git ignores `{LOCKFILE_NAME}` ({where}); add `!{LOCKFILE_NAME}` to `.gitignore`"
