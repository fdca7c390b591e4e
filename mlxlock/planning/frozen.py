"""What first runs brought that the lock did not have, for `lock --frozen-artifacts`. Pure."""

from collections.abc import Iterable, Iterator

from mlxlock.spec.lockfile import LockedModel


def new_arrivals(known: Iterable[LockedModel], models: Iterable[LockedModel]) -> tuple[str, ...]:
    """Each file of an artifact, and each URL with its bytes, that no entry of the lock has yet; sorted."""
    there = {name for model in known for name in _brought(model)}
    return tuple(sorted({name for model in models for name in _brought(model)} - there))


def _brought(model: LockedModel) -> Iterator[str]:
    for artifact in model.artifacts:
        for file in artifact.files:
            yield f"{artifact.repo}/{file.path} @ {artifact.commit}"
    for download in model.effects.downloads:
        yield f"{download.url} @ sha256:{download.sha256}"
