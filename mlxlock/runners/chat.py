"""Talk with one model, loaded once, as JOB.json says: `python chat.py JOB.json`, on a terminal.

Owns the loop: lines from stdin, answers as they come, everything said so far told to the model again. Ctrl-D
or `/bye` ends it, Ctrl-C stops an answer. Stands alone like `generate.py`, which it loads from beside it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlxlock.runners.generate import Job, Kind, Phases, Show

_BYE = "/bye"
_HELP = "/help"
_COMMANDS = f"{_HELP} shows this; {_BYE} or Ctrl-D ends the chat, Ctrl-C stops an answer\n"


def _sibling(name: str) -> Any:
    """Load a script by its path, as `generate.py` loads its kinds."""
    path = Path(__file__).resolve().with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"mlxlock_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no `{path}`")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


generate = _sibling("generate")


def chat(job: Job, phases: Phases) -> dict[str, object]:
    """Answer until there is nothing more to answer."""
    show: Show = generate.Show(job)
    with contextlib.redirect_stdout(sys.stderr), _ended_by_ctrl_c():
        kind, loaded = generate.load(job, phases)
    history: list[dict[str, str]] = []
    with phases.enter("generate"):
        for line in _lines():
            turn = job._replace(prompt=line, history=tuple(history))
            answer = _answer(turn, kind, loaded, show)
            history += [{"role": "user", "content": line}, {"role": "assistant", "content": answer}]
    return {"turns": len(history) // 2}


@contextlib.contextmanager
def _ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process at once: an import may swallow what Python makes of it."""
    heard = signal.getsignal(signal.SIGINT)
    if heard is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


def _lines() -> Iterator[str]:
    """Yield what is typed; an empty line asks again, and so does Ctrl-C."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 (lets `input` edit its line)
    while True:
        try:
            line = input(">>> ") if sys.stdout.isatty() else input()
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            continue
        except EOFError:
            return
        if line.strip() == _BYE:
            return
        if line.strip() == _HELP:
            sys.stdout.write(_COMMANDS)
        elif line.strip():
            yield line


def _answer(turn: Job, kind: Kind, loaded: Any, show: Show) -> str:
    """Show an answer as it comes, and return it; Ctrl-C ends it where it is."""
    said: list[str] = []

    def emit(text: str) -> None:
        said.append(text)
        show(text)

    with contextlib.suppress(KeyboardInterrupt), contextlib.redirect_stdout(sys.stderr):
        kind.generate(turn, loaded, emit)
    show.end_line()
    return "".join(said)


if __name__ == "__main__":
    generate.main(sys.argv[1], chat)
