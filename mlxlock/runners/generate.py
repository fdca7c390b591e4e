"""Run one model once, as JOB.json says: `python generate.py JOB.json`.

Owns the phases, the seed, the digest and RESULT.json; how a library is called is in `kind_*.py`.
Stands alone in a project's interpreter: the standard library and one kind, and nothing of mlxlock.
Exits 0 only when something was really generated, 1 on a failure, 2 on a bad JOB.json, 3 without the library.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import inspect
import json
import os
import random
import struct
import sys
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, TypedDict, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_HERE = Path(__file__).resolve().parent
_KINDS = ("text", "vision", "stt", "tts")
_LIBRARIES = {"mlx": "mlx", "mlx_lm": "mlx-lm", "mlx_vlm": "mlx-vlm", "mlx_audio": "mlx-audio"}
_TEXT_LIMIT = 2000
_LEAST_TOKENS = 8


class RunError(Exception):
    """A failure that the runner itself recognises, with its stable name."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Job(NamedTuple):
    """What to run: the content of JOB.json, where only the first two are required.

    Attributes:
        kind: text, vision, stt or tts.
        model: The model's directory, absolute.
        prompt: What is said to the model, or what it shall say; stt has no use for it.
        image: A picture's path, for vision.
        audio: A recording's path, for stt.
        max_tokens: The most tokens to generate; null is the library's own default, and where the library
            takes none, it is not limited.
        seed: For every random number generator, 0 to 2**32 - 1.
        temperature: 0 is greedy; null is the library's own default.
        system: A system prompt.
        history: What was said before, for text and vision: `role` (user, assistant) and `content` of each.
        language: A language in the library's own spelling.
        voice: A voice's name, for tts.
        ref_audio: A recording whose voice to clone, for tts.
        options: More arguments for the library's generating function, each of which it must name.
        trust_remote_code: Whether Python code that the model brings may run.
        forbid_code: Whether no repo's code may run, also where a library trusts whatever it is told.
        output: Where RESULT.json is written.
        wav: Where tts writes its sound.
        phase_file: Where the phase is written at its start: import, load or generate.
        stream: Print the text as it comes; nothing else is ever written to stdout.
        tame: Whether the text ends on a terminal, also when stdout is none: a sandbox is between them.
        text_limit: How many characters of the text stand in RESULT.json.
        exercise: Make the model work even where it would rather not: no end before eight tokens, and no
            silence for Whisper. The default is the opposite of `stream`.
    """

    kind: str
    model: str
    prompt: str = ""
    image: str | None = None
    audio: str | None = None
    max_tokens: int | None = 16
    seed: int = 0
    temperature: float | None = 0.0
    system: str | None = None
    history: Sequence[Mapping[str, str]] = ()
    language: str | None = None
    voice: str | None = None
    ref_audio: str | None = None
    options: Mapping[str, Any] = MappingProxyType({})
    trust_remote_code: bool = False
    forbid_code: bool = False
    output: str | None = None
    wav: str | None = None
    phase_file: str | None = None
    stream: bool = False
    tame: bool = False
    text_limit: int = _TEXT_LIMIT
    exercise: bool = True

    def refuse(self, option: str) -> NoReturn:
        """Stop because the job asks for what this model cannot do: nothing is left out."""
        name = option.replace("_", "-")
        raise RunError("unsupported-option", f"`{name}` is not for this {self.kind} model")

    def named_options(self, *functions: Callable[..., Any]) -> dict[str, Any]:
        """Return the options, each named by one of these functions: others a library may swallow."""
        known = {name for function in functions for name in inspect.signature(function).parameters}
        for option in self.options:
            if option not in known:
                self.refuse(option)
        return dict(self.options)

    def lacks(self, option: str) -> NoReturn:
        """Stop because this kind cannot run without the option."""
        raise RunError("bad-job", f"a {self.kind} model needs `{option}`")

    def keep_going(self, ends: Iterable[int]) -> list[Callable[[Any, Any], Any]]:
        """Return logits processors: in an exercise, no end within the first eight tokens."""
        most = _LEAST_TOKENS if self.max_tokens is None else self.max_tokens
        left = min(_LEAST_TOKENS, most) if self.exercise else 0
        numbers = tuple(ends)

        def forbid(_tokens: Any, logits: Any) -> Any:
            nonlocal left
            if left > 0:
                left -= 1
                for number in numbers:
                    if number < logits.shape[-1]:
                        logits[:, number] = float("-inf")
            return logits

        return [forbid]


class Generated(TypedDict):
    """What a kind hands back.

    Attributes:
        digested: What the output's digest covers, token ids or bytes; empty when nothing was generated.
        text: The generated text, empty for tts.
        tokens: How many tokens were generated; None where the library hides it, but for a limit below eight.
        samples: How many audio samples, for tts.
        input_ids: The ids of the whole prompt; None where the library hides them, which is stt and tts: then
            those are taken that a tokenizer made meanwhile.
    """

    digested: list[int] | bytes
    text: str
    tokens: int | None
    samples: int | None
    input_ids: list[int] | None


class Kind(Protocol):
    """What each `kind_*.py` offers; importing it imports its library."""

    def load(self, job: Job) -> Any:
        """Load the model from its directory."""

    def generate(self, job: Job, loaded: Any, emit: Callable[[str], None]) -> Generated:
        """Generate once, handing each piece of text to `emit` as it comes."""


class Phases:
    """Which phase the run is in, told to who watches, and how long each one took."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self.current = "import"
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def enter(self, name: str) -> Iterator[None]:
        """Mark the phase for the length of a `with`; a library that calls `sys.exit` in it has failed."""
        self.current = name
        if self._path is not None:
            write_atomically(self._path, name)
        started = time.perf_counter()
        try:
            yield
        except SystemExit as error:
            raise RunError("library-exit", f"the library called sys.exit({error.code!r})") from error
        self.seconds[name] = round(time.perf_counter() - started, 4)


def write_atomically(path: str, text: str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    scratch = f"{path}.{os.getpid()}.tmp"
    Path(scratch).write_text(text, encoding="utf-8")
    Path(scratch).replace(path)


def read_job(path: str) -> Job:
    """Read JOB.json.

    Raises:
        RunError: It is not what `Job` describes.
    """
    raw = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(raw, dict) or not {"kind", "model"} <= raw.keys() or raw["kind"] not in _KINDS:
        raise RunError("bad-job", f"`{path}` needs a `model` and a `kind`: {', '.join(_KINDS)}")
    unknown = sorted(raw.keys() - set(Job._fields))
    if unknown:
        raise RunError("bad-job", f"`{path}` has unknown keys: {', '.join(unknown)}")
    job = Job(**{"exercise": not raw.get("stream", False), **raw})
    _check(job)
    return job


def _check(job: Job) -> None:
    """Refuse values that a library would only stumble over later."""
    if (job.max_tokens is not None and job.max_tokens < 1) or not 0 <= job.seed < 2**32:
        raise RunError("bad-job", "`max_tokens` must be at least 1, and `seed` between 0 and 2**32 - 1")
    for option in ("trust_remote_code", "forbid_code", "stream", "tame", "exercise"):
        if not isinstance(getattr(job, option), bool):
            raise RunError("bad-job", f"`{option}` must be true or false")
    for option in ("model", "image", "audio", "ref_audio"):
        value = getattr(job, option)
        if value is not None and not Path(value).exists():
            raise RunError("bad-job", f"`{option}` is not there: `{value}`")


def run(job: Job, phases: Phases) -> dict[str, object]:
    """Import, load, generate, and describe what came out; what the libraries print goes to stderr."""
    show = Show(job)
    with contextlib.redirect_stdout(sys.stderr):
        kind, loaded = load(job, phases)
        with phases.enter("generate"):
            _seed(job.seed)
            with _sibling("tokenizing").listening() as heard:
                made = kind.generate(job, loaded, show)
    show.end_line()
    if made["input_ids"] is None:
        made["input_ids"] = heard.ids()
    return _describe(job, made)


def load(job: Job, phases: Phases) -> tuple[Kind, Any]:
    """Import the job's kind and load its model."""
    if job.forbid_code:
        _forbid_code()
    with phases.enter("import"):
        kind = _import_kind(job.kind)
    with phases.enter("load"):
        _seed(job.seed)
        loaded = kind.load(job)
    return kind, loaded


class Show:
    """Writes a job's text as it comes, to where stdout was; a terminal gets nothing that it could obey."""

    def __init__(self, job: Job) -> None:
        self._stream = job.stream
        self._stdout = sys.stdout
        self._tame = job.stream and (job.tame or self._stdout.isatty())
        self._last = ""

    def __call__(self, text: str) -> None:
        """Write a piece of text."""
        if self._stream and text:
            self._stdout.write("".join(map(_tamed, text)) if self._tame else text)
            self._stdout.flush()
            self._last = text

    def end_line(self) -> None:
        """End a line that was begun."""
        if self._last and not self._last.endswith("\n"):
            self("\n")


def _tamed(char: str) -> str:
    return char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"


class _Forbidding:
    """Finds transformers' module that runs a repo's code, as ever, and takes that from it right away."""

    _MODULE = "transformers.dynamic_module_utils"

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if name != self._MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_take(module: ModuleType) -> None:
                execute(module)
                module.get_class_from_dynamic_module = _refuse_code  # type: ignore[attr-defined]

            setattr(spec.loader, "exec_module", execute_and_take)  # noqa: B010 - mypy wants no new method
        return spec


def _forbid_code() -> None:
    """Forbid it before anybody can have imported it: a dozen models of mlx-audio trust every repo."""
    sys.meta_path.insert(0, _Forbidding())


def _refuse_code(reference: str, repo: object, *_arguments: object, **_named: object) -> NoReturn:
    raise RunError("remote-code", f"`{repo}` would execute code that it ships: `{reference}`")


def _import_kind(kind: str) -> Kind:
    if sys.path and Path(sys.path[0] or ".").resolve() == _HERE:
        del sys.path[0]
    try:
        return cast("Kind", _sibling(f"kind_{kind}"))
    except ModuleNotFoundError as error:
        library = _LIBRARIES.get((error.name or "").partition(".")[0])
        if library is None:
            raise
        raise RunError("missing-library", f"{library} is not installed in {sys.executable}") from error


def _sibling(name: str) -> ModuleType:
    """Load a file of this folder by its path: the folder must not shadow top-level modules of the project."""
    spec = importlib.util.spec_from_file_location(f"mlxlock_{name}", _HERE / f"{name}.py")
    if spec is None or spec.loader is None:
        raise RunError("bad-job", f"there is no runner `{name}`")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _seed(seed: int) -> None:
    """Seed what the libraries draw from: loading may have drawn, so this comes before each phase."""
    import mlx.core as mx
    import numpy as np

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (the libraries draw from the global generator)
    mx.random.seed(seed)


def _describe(job: Job, made: Generated) -> dict[str, object]:
    """Reduce what was generated to what two runs can be compared by.

    Raises:
        RunError: Nothing was generated.
    """
    if not made["digested"]:
        raise RunError("nothing-generated", "the model ran, but nothing came out")
    return {
        "digest": _digest(made["digested"]),
        "tokens": made["tokens"],
        "ended": _ended(job, made["tokens"]),
        "samples": made["samples"],
        "text": made["text"][: job.text_limit],
        "input_digest": None if made["input_ids"] is None else _digest(made["input_ids"]),
    }


def _ended(job: Job, tokens: int | None) -> bool:
    """Tell whether a transcript ended by itself: no library lets us keep it going, as text and vision are."""
    return job.kind == "stt" and tokens is not None and (job.max_tokens is None or tokens < job.max_tokens)


def _digest(content: list[int] | bytes) -> str:
    """Digest bytes, or token ids as eight bytes each, little-endian and signed."""
    data = content if isinstance(content, bytes) else struct.pack(f"<{len(content)}q", *content)
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _write_result(job: Job, result: dict[str, object]) -> None:
    if job.output is not None:
        write_atomically(job.output, f"{json.dumps(result, ensure_ascii=False)}\n")


def _failure(error: Exception, phase: str) -> dict[str, object]:
    name = error.name if isinstance(error, RunError) else type(error).__name__
    return {"ok": False, "error": {"type": name, "message": str(error), "phase": phase}}


def main(path: str, work: Callable[[Job, Phases], dict[str, object]] = run) -> None:
    """Do the job in `path`; a failure is written to RESULT.json and ends in a traceback.

    Args:
        path: Of JOB.json.
        work: What is done with it; returns the `output` of RESULT.json.

    Raises:
        SystemExit: 2 for a bad job, 3 for a missing library.
    """
    try:
        job = read_job(path)
    except (RunError, TypeError, ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from error
    phases = Phases(job.phase_file)
    try:
        output = work(job, phases)
    except Exception as error:
        _write_result(job, _failure(error, phases.current))
        if isinstance(error, RunError) and error.name == "missing-library":
            sys.stderr.write(f"error: {error}\n")
            raise SystemExit(3) from error
        raise
    _write_result(job, {"ok": True, "kind": job.kind, "output": output, "phases": phases.seconds})


if __name__ == "__main__":
    main(sys.argv[1])
