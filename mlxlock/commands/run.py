"""`mlxk run PATH|NAME [PROMPT]`: one model, in a child process that sees its own `.hf_cache`, offline.

Owns what is checked before anything starts. Finding the model is `subject`'s, starting the child `launch`'s,
and what is said afterwards `run_report`'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mlxlock.errors import UsageError
from mlxlock.planning.run_job import Json, asked_job, lacking, unsuited
from mlxlock.ports import Note, Ports
from mlxlock.spec.toml_text import shown
from mlxlock.steps.appeared import contents_of
from mlxlock.steps.launch import Launch, launched
from mlxlock.steps.project import Project
from mlxlock.steps.report import Report
from mlxlock.steps.run_report import Ran, run_report
from mlxlock.steps.subject import Subject, Wish, find_subject

CHATTY: Final = ("text", "vision")
STDIN: Final = "-"
MAX_CHARS: Final = 8 << 20
"""Of a text in JSON: a transcript of many days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What `mlxk run` was asked for; what is None is the kind's default.

    Attributes:
        model: A path or a name.
        prompt: `-` for stdin.
        read_stdin: Reads all of it.
        interactive: Whether stdin is a terminal.
        terminal: Whether stdout is one.
        online: Whether a first run may fetch what it needs.
        no_network: Whether a sandbox takes the network away.
        json: Whether the answer is to be JSON, so that the child may not print.
        verbose: Whether what the libraries say on stderr is wanted.
    """

    model: str
    prompt: str | None = None
    image: Path | None = None
    audio: Path | None = None
    ref_audio: Path | None = None
    language: str | None = None
    system: str | None = None
    voice: str | None = None
    output: Path | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    kind: str | None = None
    trust_remote_code: bool = False
    workspace_cache: Path | None = None
    online: bool = False
    no_network: bool = False
    read_stdin: Callable[[], str] = str
    interactive: bool = False
    terminal: bool = False
    json: bool = False
    verbose: bool = False


def run(project: Project | None, ports: Ports, options: RunOptions) -> Report:
    """Run it; its text goes to stdout as it comes, and its exit code is ours.

    Raises:
        UsageError: No such model, or options that do not go together.
        DriftError: The workspace of a locked model is not what the lock says.
        PolicyError: It would execute code that its repo ships.
        RuntimeMissingError: The interpreter lacks the library.
    """
    wish = Wish(
        model=options.model,
        kind=options.kind,
        trust=options.trust_remote_code,
        cache=None if options.workspace_cache is None else options.workspace_cache.absolute(),
    )
    subject = find_subject(wish, ports, project)
    _check_network(options, subject)
    options = _with_stdin(options, subject.kind)
    chats = options.interactive and options.prompt is None and subject.kind in CHATTY
    launch = replace(_launch(subject, options, chats=chats), job=_job(subject, options, chats=chats))
    before = contents_of(subject.cache, ports.laboratory()) if options.online and subject.cache else None
    if chats:
        ports.on_event(
            Note(
                text=f"`{subject.name}`: Ctrl-D or /bye ends the chat, Ctrl-C stops an answer, /help says so"
            )
        )
    with launched(launch, ports) as ended:
        ran = Ran(subject=subject, ended=ended, output=options.output, image=options.image, before=before)
        return run_report(ran, ports)


def _check_network(options: RunOptions, subject: Subject) -> None:
    if options.online and options.no_network:
        raise UsageError("`--online` and `--no-network` contradict each other")
    if options.online and subject.cache is None:
        raise UsageError(
            f"`{subject.name}` is in the Hugging Face cache, where a first run shall leave nothing",
            hint="say where to keep what it fetches: `--workspace-cache DIR`",
        )


def _with_stdin(options: RunOptions, kind: str) -> RunOptions:
    """The options with a prompt that was piped in."""
    piped = options.prompt is None and not options.interactive and kind != "stt"
    if not piped and options.prompt != STDIN:
        return options
    return replace(options, prompt=options.read_stdin().strip() or None)


def _launch(subject: Subject, options: RunOptions, *, chats: bool) -> Launch:
    if chats and (options.json or options.no_network):
        flag = "--json" if options.json else "--no-network"
        raise UsageError(f"a chat needs the terminal, which `{flag}` takes away", hint="give a prompt")
    return Launch(
        subject=subject,
        job={},
        script="chat.py" if chats else "generate.py",
        online=options.online,
        enclosed=options.no_network,
        aside=options.json,
        verbose=options.verbose,
    )


def _job(subject: Subject, options: RunOptions, *, chats: bool) -> Mapping[str, Json]:
    """The job, when the options are what the kind takes, and all that it needs.

    Raises:
        UsageError: They are not.
    """
    asked = _asked(options)
    for name in unsuited(subject.kind, asked):
        raise UsageError(f"`--{name}` is not for `{subject.kind}` models, such as `{subject.name}`")
    missing = None if chats else lacking(subject.kind, asked)
    if missing is not None:
        name, example = missing
        what = "a prompt" if name == "prompt" else f"`--{name}`"
        raise UsageError(
            f"`{subject.name}` is a `{subject.kind}` model: it needs {what}",
            hint=f"`mlxk run {shown(options.model)} {example}`",
        )
    _check_output(options.output)
    job = asked_job(subject.kind, {name: value for name, value in asked.items() if name != "output"})
    return {
        **job,
        "stream": not options.json,
        "tame": options.terminal,
        "exercise": False,
        "text_limit": MAX_CHARS,
    }


def _asked(options: RunOptions) -> dict[str, Json]:
    return {
        "prompt": options.prompt,
        "image": _absolute(options.image),
        "audio": _absolute(options.audio),
        "ref-audio": _absolute(options.ref_audio),
        "language": options.language,
        "system": options.system,
        "voice": options.voice,
        "output": _absolute(options.output),
        "max-tokens": options.max_tokens,
        "temperature": options.temperature,
        "seed": options.seed,
    }


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _check_output(output: Path | None) -> None:
    """Refuse a place for the sound before the model is loaded, not after it has spoken."""
    if output is None:
        return
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise UsageError(
            f"`{shown(str(output))}` cannot be written", hint="name a file in a directory that exists"
        )
