"""The capture: a trial behind the recording mirror and the egress proxy, and the record of all it asked for.

A step of `lock`. Owns what is recorded; nothing of a run that failed is.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from mlxlock.errors import FirstRunError, PolicyError
from mlxlock.first_runs.attributing import accounted, effects_of
from mlxlock.first_runs.linked_model import changes
from mlxlock.first_runs.outcome import output_of
from mlxlock.first_runs.trial import Bench, Trial, open_bench, run_trial
from mlxlock.planning.askers import Askers, with_asker
from mlxlock.planning.assemble import with_captures
from mlxlock.planning.attribution import expected, known_sizes
from mlxlock.planning.denials import allow_hosts_hint, name_of, wanting
from mlxlock.planning.layout import CACHE_DIR, HUB_DIR
from mlxlock.ports import IntakeStore, Laboratory, Mirror, Outcome, Source
from mlxlock.ports.outside import Archives, Egress
from mlxlock.spec.effects import Effects
from mlxlock.spec.names import RepoPath
from mlxlock.spec.record import CaptureRecord, Exchange, Output
from mlxlock.steps.obtain import completer
from mlxlock.steps.testimony import read_testimony
from mlxlock.steps.url_pins import UrlPins

MOST_TOLD: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """What every capture of one `lock` needs.

    Attributes:
        source: The Hub, with every revision meaning one commit.
        withheld: Says why the policy keeps a file from the first run of the model of this name.
        archives: Looks into what was fetched, where that is needed.
        url_pins: What URLs mean for the whole lock.
        adopt_writes: Whether a person takes files that programs made themselves as they are.
    """

    laboratory: Laboratory
    store: IntakeStore
    source: Source
    withheld: Callable[[str, RepoPath], str | None]
    archives: Callable[[], Archives]
    url_pins: UrlPins
    adopt_writes: bool = False

    def record(self, trial: Trial) -> CaptureRecord:
        """Run once with nothing but mirror and proxy, and say what was asked for, and what was left.

        Raises:
            FirstRunError: The model did not run; nothing of it is recorded.
            MismatchError: A URL gave other bytes than the lock has of it.
            UnattributedError: It left what nobody could bring back; nothing of it is recorded either.
            RuntimeMissingError: The project's interpreter lacks the library.
            SandboxError: No sandbox works here.
        """
        with open_bench(trial, self.laboratory, self.store, writable=(CACHE_DIR,)) as bench:
            withhold = partial(self.withheld, trial.model.name)
            mirror = self.laboratory.mirror(self.source, bench.phase_file, withhold)
            egress = self.laboratory.egress(bench.phase_file, self.url_pins.get)
            outcome = run_trial(trial, self.laboratory, bench, mirror, egress=egress)
            for failure in egress.failures():
                raise failure  # also where the program swallowed it: the lock's word counts
            _raise_what_the_mirror_met(mirror, outcome)
            output = self._output(trial, bench, outcome, (*mirror.exchanges(), *egress.exchanges()))
            seen = self._seen(trial, bench, output, mirror, egress)
            return replace(seen, effects=self._effects(trial, bench, seen, egress))

    def _output(
        self, trial: Trial, bench: Bench, outcome: Outcome, exchanges: Iterable[Exchange]
    ) -> Output | None:
        try:
            return output_of(trial, bench, outcome, self.laboratory)
        except FirstRunError as error:
            raise _explained(error, trial, exchanges) from error

    def _seen(
        self, trial: Trial, bench: Bench, output: Output | None, mirror: Mirror, egress: Egress
    ) -> CaptureRecord:
        altered, wrote = changes(bench.laid_out, bench.clone)
        told = read_testimony(bench.testimony_file)
        return CaptureRecord(
            first_run=trial.run.name,
            sandbox=self.laboratory.sandbox().level,
            environment=self.laboratory.interpreter().environment,
            output=output,
            compared=trial.compared,
            exchanges=(*mirror.exchanges(), *egress.exchanges()),
            pins=mirror.pins(),
            cache=self.laboratory.cached(bench.workspace / HUB_DIR),
            reached=tuple(missed.what for missed in told.reached),
            asked=told.asked,
            wrote=(*altered, *wrote),
        )

    def _effects(self, trial: Trial, bench: Bench, seen: CaptureRecord, egress: Egress) -> Effects:
        model = with_captures(trial.model, [seen], completer(self.store))
        askers = Askers(seen.asked)
        bodies = [with_asker(body, askers) for body in egress.bodies()]
        sizes = None if self.adopt_writes else known_sizes(model, bodies)
        left = self.laboratory.left(bench.cache, expected(bench.tree, seen.pins, sizes))
        found = effects_of(left, bench.cache, model, bodies, archives=self.archives, store=self.store)
        who = f"the first run `{trial.run.name}` of `{trial.model.name}`"
        effects = accounted(found, bench.cache, self.store, adopt=self.adopt_writes, who=who)
        self.url_pins.learn(effects)
        return effects


def _raise_what_the_mirror_met(mirror: Mirror, outcome: Outcome) -> None:
    """What kept the mirror from serving may be why a run failed; what was forbidden ends it in any case.

    Raises:
        MlxlockError: The first of either.
    """
    failures = mirror.failures()
    forbidden = [each for each in failures if isinstance(each, PolicyError)]
    for failure in forbidden or (failures if outcome.exit_code != 0 else ()):
        raise failure


def _explained(error: FirstRunError, trial: Trial, exchanges: Iterable[Exchange]) -> FirstRunError:
    """The error, with what was refused: that may be why."""
    refused = [each for each in exchanges if each.denied]
    denied = {name_of(each): each.denied for each in refused}
    if not refused:
        return error
    lines = [f"it was refused `{name}`: {why}" for name, why in denied.items()]
    hint = allow_hosts_hint(trial.model.request.allow_hosts, map(wanting, refused)) or lines[0]
    return FirstRunError(error.reason, hint=hint, details=(*error.details, *lines[:MOST_TOLD]))
