"""What the manifest's policy says of locked models: licences, formats of weights, code of the repo.

Pure. `lock` refuses by it before anything runs, `verify` checks it again.
"""

from collections.abc import Iterable, Iterator, Mapping

from mlxlock.errors import PolicyError
from mlxlock.spec.inspection import remote_code
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.manifest import Manifest
from mlxlock.spec.weights import weight_format


def check_policy(manifest: Manifest, models: Iterable[LockedModel]) -> None:
    """Refuse models that the policy does not allow.

    Raises:
        PolicyError: With every reason, and the way to allow each.
    """
    problems = policy_problems(manifest, models)
    if problems:
        raise PolicyError(
            "the policy of `models.toml` refuses what was to be locked",
            details=problems,
            hint="change `[policy]`, or choose another model",
        )


def policy_problems(manifest: Manifest, models: Iterable[LockedModel]) -> tuple[str, ...]:
    """Each thing that the policy refuses, one line each."""
    return tuple(problem for model in models for problem in _problems(manifest, model))


def _problems(manifest: Manifest, model: LockedModel) -> Iterator[str]:
    policy = manifest.policy
    license_id = model.snapshot.license
    if policy.licenses is not None and license_id not in policy.licenses:
        what = f"has the licence `{license_id}`" if license_id else "names no licence"
        allow = f'; add "{license_id}" to `policy.licenses` to allow it' if license_id else ""
        yield f"`{model.name}` {what}{allow}"
    if policy.formats is not None:
        formats = {weight_format(file.path) for file in model.files} - {None, *policy.formats}
        for name in sorted(str(name) for name in formats):
            yield f'`{model.name}` has `{name}` weights; add "{name}" to `policy.formats`, or `exclude` them'


def check_remote_code(
    model: LockedModel, texts: Mapping[str, str], *, kind: str | None = None, allowed: bool
) -> None:
    """Refuse to run a model that would execute code of its repo, unless that is allowed.

    Args:
        model: The model about to run.
        texts: Its small JSON files, by name.
        kind: What it is for, which decides what code a library reaches.
        allowed: What the manifest says.

    Raises:
        PolicyError: Its JSON files name code that a library would execute.
    """
    found = () if allowed else remote_code(texts, kind)
    if found:
        raise PolicyError(
            f"`{model.name}` would execute code that its repo ships",
            details=tuple(str(code) for code in found),
            hint=f'read that code; then `remote-code = "allow"` in `[models.{model.name}]` allows it',
        )
