"""What `mlxk run` says when its child has ended: what appeared, what was missed, what went wrong.

A step of `run`. Owns that a failure is one sentence, and that the sound gets its place whole.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mlxlock.errors import ChildError
from mlxlock.fs import disk_errors
from mlxlock.ports import Note, Ports
from mlxlock.steps.appeared import Contents, appeared, contents_of, data_of, told
from mlxlock.steps.launch import Ended
from mlxlock.steps.report import Json, Line, Report
from mlxlock.steps.result import raise_missing
from mlxlock.steps.subject import Subject

INTERRUPTED: Final = 130
STDERR_LINES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A run that is over.

    Attributes:
        output: Where its sound shall be.
        image: The picture that it was shown.
        before: What its `.hf_cache` held, if it was online.
    """

    subject: Subject
    ended: Ended
    output: Path | None
    image: Path | None
    before: Contents | None


def run_report(ran: Ran, ports: Ports) -> Report:
    """Say all of it. What appeared is told also when the run failed: it is there.

    Raises:
        RuntimeMissingError: The interpreter lacks the library.
        DiskError: The sound cannot be written.
    """
    new = _new(ran, ports)
    data = _data(ran, new)
    if ran.ended.exit_code:
        raise_missing(ran.ended.result, ports.laboratory())
        return _failed(ran, data)
    if ran.output is not None and ran.ended.sound is not None:
        _keep(ran.ended.sound, ran.output)
    for repo in ran.ended.missed:
        text = f"`{ran.subject.name}` asked for `{repo}`, which is not here, and went on without it"
        ports.on_event(Note(text=f"{text}{_cure(ran)}", level="warning"))
    lines = (Line(f"wrote `{ran.output}`", "good"),) if ran.output is not None else ()
    return Report(command="run", data=data, lines=lines)


def _new(ran: Ran, ports: Ports) -> Contents | None:
    if ran.before is None or ran.subject.cache is None:
        return None
    new = appeared(ran.before, contents_of(ran.subject.cache, ports.laboratory()))
    for line in told(new, ran.subject.cache):
        ports.on_event(Note(text=line))
    return new


def _data(ran: Ran, new: Contents | None) -> dict[str, Json]:
    said = ran.ended.result.get("output")
    output: Mapping[str, object] = said if isinstance(said, dict) else {}
    text = output.get("text")
    kept = ran.output is not None and ran.ended.sound is not None and not ran.ended.exit_code
    return {
        "model": ran.subject.name,
        "kind": ran.subject.kind,
        "exit_code": ran.ended.exit_code,
        "text": text if isinstance(text, str) and ran.subject.kind != "tts" else None,
        "output": str(ran.output.absolute()) if ran.output is not None and kept else None,
        "missed": list(ran.ended.missed),
        "appeared": None if new is None else data_of(new),
    }


def _keep(sound: Path, output: Path) -> None:
    """Give the sound its place, whole or not at all."""
    scratch = output.with_name(f".{output.name}.{os.getpid()}.part")
    with disk_errors(output):
        try:
            shutil.copyfile(sound, scratch)
            scratch.replace(output)
        finally:
            scratch.unlink(missing_ok=True)


# --- a failure ----------------------------------------------------------------------------------------------


def _failed(ran: Ran, data: Mapping[str, Json]) -> Report:
    """A user's Ctrl-C, and a reader that has enough, are nothing wrong."""
    error = _error(ran)
    reader_left = error.get("type") == "BrokenPipeError"
    code = 0 if reader_left else ran.ended.exit_code
    if reader_left or code == INTERRUPTED:
        return Report(command="run", data={**data, "exit_code": code}, exit_code=code)
    return Report(
        command="run",
        data=data,
        exit_code=code,
        error_code=ChildError.code,
        message=_reason(ran, error),
        hint="; ".join(_hints(ran)),
    )


def _error(ran: Ran) -> Mapping[str, object]:
    error = ran.ended.result.get("error")
    return error if isinstance(error, dict) else {}


def _reason(ran: Ran, error: Mapping[str, object]) -> str:
    if error:
        said = " ".join(str(error.get("message")).split())
        return f"`{ran.subject.name}` failed in {error.get('phase')}: {error.get('type')}: {said}"
    last = [line.strip() for line in ran.ended.stderr.splitlines() if line.strip()][-STDERR_LINES:]
    words = f": {' / '.join(last)}" if last else ""
    return f"`{ran.subject.name}` ended with exit code {ran.ended.exit_code}{words}"


def _hints(ran: Ran) -> Iterator[str]:
    if _error(ran).get("type") == "remote-code":
        yield "read that code; then `--trust-remote-code` allows it"
    elif ran.ended.failures:
        first = ran.ended.failures[0]
        yield from filter(None, (first.reason, first.hint))
    elif ran.ended.missed:
        asked = ", ".join(f"`{repo}`" for repo in ran.ended.missed)
        yield f"it asks for {asked}, which is not here{_cure(ran)}"
    else:
        if ran.subject.kind == "vision" and ran.image is None:
            yield "perhaps it needs a picture: `--image FILE`"
        yield "`-v` shows all that the library said"


def _cure(ran: Ran) -> str:
    """What to do about what is not here; nothing more, when the Hub was there to be asked."""
    return ": `--online` lets it fetch that once" if ran.before is None else ""
