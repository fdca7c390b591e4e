"""The capture: a trial behind the recording mirror, and the record of all it asked for.

A step of `lock`. Owns what is recorded; nothing of a run that failed is.
"""

from mlxlock.commands.linked_model import changes
from mlxlock.commands.outcome import output_of
from mlxlock.commands.testimony import read_testimony
from mlxlock.commands.trial import Trial, open_bench, run_trial
from mlxlock.planning.layout import HUB_DIR
from mlxlock.ports import BlobStore, Laboratory, Source
from mlxlock.spec.record import CaptureRecord


def record(trial: Trial, laboratory: Laboratory, store: BlobStore, source: Source) -> CaptureRecord:
    """Run once with nothing but the recording mirror, and say what was asked for.

    Raises:
        FirstRunError: The model did not run; nothing of it is recorded.
        RuntimeMissingError: The project's interpreter lacks the library.
        SandboxError: No sandbox works here.
    """
    with open_bench(trial, laboratory, store) as bench:
        mirror = laboratory.mirror(source, bench.phase_file)
        outcome = run_trial(trial, laboratory, bench, mirror, fetches=True)
        if outcome.exit_code != 0 and mirror.failures():
            raise mirror.failures()[0]
        output = output_of(trial, bench, outcome, laboratory)
        altered, wrote = changes(bench.laid_out, bench.clone)
        return CaptureRecord(
            first_run=trial.run.name,
            sandbox=laboratory.sandbox().level,
            environment=laboratory.interpreter().environment,
            output=output,
            compared=trial.compared,
            exchanges=mirror.exchanges(),
            pins=mirror.pins(),
            cache=laboratory.cached(bench.workspace / HUB_DIR),
            reached=tuple(missed.what for missed in read_testimony(bench.testimony_file).reached),
            wrote=(*altered, *wrote),
        )
