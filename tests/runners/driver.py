"""Runs `generate.py` as the product does: a process, a JOB.json, a RESULT.json, offline."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import mlxlock
from tests.tinymodels import MODELS
from tests.tinymodels.hfcache import lay_out_cache
from tests.tinymodels.media import write_png, write_wav

RUNNERS = Path(mlxlock.__file__).parent / "runners"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one run left.

    Attributes:
        code: Its exit code.
        result: RESULT.json; empty when there is none.
        phase: The last phase it told.
    """

    code: int
    result: Mapping[str, object]
    phase: str | None
    stdout: str
    stderr: str

    @property
    def output(self) -> Mapping[str, object]:
        """The `output` of a run that succeeded."""
        assert self.code == 0, self.stderr[-2000:]
        output = self.result["output"]
        assert isinstance(output, dict)
        return output

    @property
    def error(self) -> Mapping[str, object]:
        """The `error` of a run that failed."""
        error = self.result["error"]
        assert isinstance(error, dict)
        return error


class Driver:
    """Runs jobs on the tiny models, each in its own process; everything it writes is below one folder."""

    def __init__(self, tree: Path, scratch: Path) -> None:
        self.tree = tree
        self.scratch = scratch
        self._runs = 0

    def run_model(self, name: str, **job: object) -> Ran:
        """Run a tiny model with what its kind needs, its hidden repos being in the cache."""
        model = MODELS[name]
        needs: dict[str, object] = {"model": str(self.tree / model.repo), "prompt": "hello world"}
        match model.kind:
            case "vision":
                needs["image"] = str(write_png(self.scratch / "a.png"))
            case "stt":
                needs["audio"] = str(write_wav(self.scratch / "a.wav"))
            case "tts":
                needs |= {"prompt": "[S1] hello", "max_tokens": 48}
            case "text":
                pass
        return self.run({"kind": model.kind, **needs, **job}, cached=model.needs)

    def run(self, job: Mapping[str, object], *, cached: Iterable[str] = (), flags: Iterable[str] = ()) -> Ran:
        """Run a job as it is; only where it writes is added."""
        self._runs += 1
        place = self.scratch / str(self._runs)
        hf_home = lay_out_cache(self.tree, place / "hf", cached)
        result, phase = place / "RESULT.json", place / "phase"
        path = place / "JOB.json"
        path.write_text(json.dumps({**job, "output": str(result), "phase_file": str(phase)}))
        done = subprocess.run(
            [sys.executable, *flags, str(RUNNERS / "generate.py"), str(path)],
            env=_environment(hf_home, hash_seed=self._runs),
            cwd=place,
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert not list(place.glob("*.tmp"))
        return Ran(
            code=done.returncode,
            result=json.loads(result.read_bytes()) if result.exists() else {},
            phase=phase.read_text() if phase.exists() else None,
            stdout=done.stdout,
            stderr=done.stderr,
        )


def _environment(hf_home: Path, *, hash_seed: int) -> dict[str, str]:
    """Build a whole environment, with another order of sets and dicts for every run."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return kept | {
        "HOME": str(hf_home),
        "HF_HOME": str(hf_home),
        "HF_HUB_OFFLINE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": str(hash_seed),
    }
