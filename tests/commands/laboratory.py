"""The steps of `lock` one by one, with every real adapter, so that a test can change something in between."""

import sys
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path

from mlxlock.cli.options import Common
from mlxlock.cli.wiring import Choices, wire
from mlxlock.first_runs.exercise import Work, trials_of
from mlxlock.first_runs.proof import Proven, prove
from mlxlock.first_runs.trial import Trial
from mlxlock.planning.assemble import complete_model, with_captures
from mlxlock.planning.relock import decide, first_runs_of
from mlxlock.ports import BlobStore, Event, Laboratory, Ports
from mlxlock.render import Look
from mlxlock.spec.lockfile import LockedModel, Lockfile
from mlxlock.spec.manifest_reader import parse_manifest
from mlxlock.spec.record import CaptureRecord
from mlxlock.steps.obtain import completer, needs_of, obtain
from mlxlock.steps.pinning import PinnedSource
from mlxlock.steps.resolve import draft, resolve

HEAD = f'[sandbox]\nrequire = "full"\npython = "{sys.executable}"\n\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """A capture, ready to be proven.

    Attributes:
        trial: Its model is the candidate entry, with all that was captured.
    """

    trial: Trial
    record: CaptureRecord
    laboratory: Laboratory
    store: BlobStore

    def prove(self, model: LockedModel | None = None) -> Proven:
        """Prove it, on another entry when one is given."""
        trial = replace(self.trial, model=model or self.trial.model)
        return prove(trial, self.record, self.laboratory, self.store, lambda _event: None)

    def prove_without(self, repo: str) -> Proven:
        """Prove it with an artifact withheld from the entry."""
        model = self.trial.model
        kept = tuple(artifact for artifact in model.artifacts if artifact.repo != repo)
        assert kept != model.artifacts
        return self.prove(replace(model, artifacts=kept))


class Lab:
    """A project, and the first steps of locking it.

    Attributes:
        events: Everything that was told.
    """

    def __init__(self, root: Path, manifest: str, *, sandboxed: bool = True) -> None:
        root.mkdir(parents=True, exist_ok=True)
        (root / "models.toml").write_text(HEAD + manifest)
        self.manifest = parse_manifest(HEAD + manifest)
        self.events: list[Event] = []
        common = Common(look=Look(), project=root, named_project=True, offline=None, jobs=4)
        self.ports: Ports = wire(
            common, self.events.append, Choices(adopt="none", sandboxed=sandboxed), project=root
        )
        self.root = root

    def capture(self, run: str | None = None) -> Captured:
        """Make the (named) first run of the only model."""
        (decision,) = decide(self.manifest, Lockfile(), upgrade=False, upgrade_models=(), capture=True)
        resolutions = resolve([decision], self.ports, {})
        source = PinnedSource(
            self.ports.source(),
            pins={},
            artifacts=self.manifest.artifacts,
            resolved=resolutions.values(),
        )
        store = self.ports.store()
        work = Work(project=self.root, manifest=self.manifest, ports=self.ports, store=store, source=source)
        model = draft(decision, resolutions, store, capture=True)
        obtain(needs_of([model]), self.ports)
        model = complete_model(model, completer(store))
        runs = [each for each in first_runs_of(model.request) if run in {None, each.name}]
        (trial,) = trials_of(work, model, runs)
        done = work.recorder.record(trial)
        candidate = with_captures(trial.model, [done], completer(store))
        return Captured(
            trial=replace(trial, model=candidate),
            record=done,
            laboratory=self.ports.laboratory(),
            store=store,
        )


def settle(values: MutableMapping[str, str], endpoint: str, root: Path) -> None:
    """Let the adapters find the Hub and a store: `values` is `os.environ`, which the guards put back."""
    values.update({
        "HF_ENDPOINT": endpoint,
        "HOME": str(root / "home"),
        "HF_HUB_CACHE": str(root / "no-cache"),
        "MLXK_STORE_DIR": str(root / "store"),
    })  # fmt: skip
