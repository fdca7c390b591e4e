"""What the manifest's policy says of locked models: licences, formats of weights, code of the repo.

Pure. `lock` refuses by it before anything runs, `verify` checks it again.
"""

from collections.abc import Iterable, Iterator, Mapping

from mlxlock.errors import PolicyError
from mlxlock.spec.effects import Effects
from mlxlock.spec.inspection import CODE_SUFFIXES, RemoteCode, remote_code
from mlxlock.spec.lockfile import LockedModel
from mlxlock.spec.manifest import Manifest, remote_code_of
from mlxlock.spec.names import RepoPath
from mlxlock.spec.weights import weight_format

UNKNOWN = "unknown"
"""How `[policy] licenses` allows repos that name no licence."""


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


def allows_code(manifest: Manifest, name: str) -> bool:
    """Whether code that the repos of this model ship may be executed."""
    spec = manifest.model(name)
    allowed = manifest.policy.remote_code if spec is None else remote_code_of(manifest, spec)
    return allowed == "allow"


def withheld(manifest: Manifest, name: str, path: RepoPath) -> str | None:
    """Why a first run of this model is not given a file that it asks the Hub for; None when it is."""
    if path.suffix in CODE_SUFFIXES and not allows_code(manifest, name):
        return f'code is withheld: `remote-code = "allow"` in `[models.{name}]` would allow it'
    refused = _refused_formats(manifest, [path])
    return f"`{refused[0]}` weights are withheld: `policy.formats` does not name them" if refused else None


def untrusted(path: RepoPath) -> str | None:
    """Why somebody who trusts no code is not given a file; None when it is none."""
    if path.suffix not in CODE_SUFFIXES:
        return None
    return "code is withheld: `--trust-remote-code` would allow it"


def _problems(manifest: Manifest, model: LockedModel) -> Iterator[str]:
    yield from _of_license(manifest, f"`{model.name}`", model.snapshot.license)
    for name in _refused_formats(manifest, [file.path for file in model.files]):
        yield f'`{model.name}` has `{name}` weights; add "{name}" to `policy.formats`, or `exclude` them'
    for artifact in model.artifacts:
        whose = f"`{artifact.repo}` (for `{model.name}`)"
        yield from _of_license(manifest, whose, artifact.license)
        for name in _refused_formats(manifest, [file.path for file in artifact.files]):
            yield f'{whose} has `{name}` weights; add "{name}" to `policy.formats` to allow it'
    for what, names in _brought(model.effects):
        for name in _refused_formats(manifest, names):
            whose = f"`{what}` (of a first run of `{model.name}`)"
            yield f'{whose} has `{name}` weights; add "{name}" to `policy.formats` to allow it'
    if not allows_code(manifest, model.name):
        yield from _trusting(model)


def _brought(effects: Effects) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each file outside the Hub's cache, with all the names that may tell its format."""
    for download in effects.downloads:
        yield download.url, (download.url.name, download.path or "")
    for _, member in effects.members:
        yield member.path, (member.name, member.path)
    for path in (*(copy.path for copy in effects.copies), *(write.path for write in effects.writes)):
        yield path, (path,)


def _trusting(model: LockedModel) -> Iterator[str]:
    allow = f'; `remote-code = "allow"` in `[models.{model.name}]` allows it'
    if model.trusts_remote_code:
        yield f"`{model.name}` executes code that its repo ships{allow}"
    for artifact in model.artifacts:
        if artifact.trusts_remote_code:
            yield f"`{model.name}` executes code of `{artifact.repo}`{allow}"


def _of_license(manifest: Manifest, whose: str, license_id: str | None) -> Iterator[str]:
    licenses = manifest.policy.licenses
    if licenses is not None and (license_id or UNKNOWN) not in licenses:
        what = f"has the licence `{license_id}`" if license_id else "names no licence"
        yield f'{whose} {what}; add "{license_id or UNKNOWN}" to `policy.licenses` to allow it'


def _refused_formats(manifest: Manifest, paths: Iterable[str]) -> list[str]:
    if manifest.policy.formats is None:
        return []
    formats = {weight_format(path) for path in paths} - {None, *manifest.policy.formats}
    return sorted(str(name) for name in formats)


def check_remote_code(
    model: LockedModel, texts: Mapping[str, str], *, kind: str | None = None, allowed: bool
) -> tuple[RemoteCode, ...]:
    """Refuse to run a model that would execute code of its repo, unless that is allowed.

    Args:
        model: The model about to run.
        texts: Its JSON files that may name code, by name.
        kind: What it is for, which decides what code a library reaches; None when nobody knows who runs it.
        allowed: What the manifest says.

    Returns:
        The code that will be executed.

    Raises:
        PolicyError: Its JSON files name code that a library would execute.
    """
    found = remote_code(texts, kind)
    if found and not allowed:
        raise PolicyError(
            f"`{model.name}` would execute code that its repo ships",
            details=tuple(str(code) for code in found),
            hint=f'read that code; then `remote-code = "allow"` in `[models.{model.name}]` allows it',
        )
    return found
