"""What a person sees: no text moves a cursor, columns align, colour follows the asker, bars stay whole."""

import contextlib
import fcntl
import io
import json
import os
import pty
import struct
import sys
import termios
import time
import tty
import unicodedata
from collections.abc import Iterator
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxlock.errors import LockfileError
from mlxlock.ports import Advanced, Finished, Note, Started
from mlxlock.render import Look, safe, show_error, show_report
from mlxlock.render.progress import Progress
from mlxlock.render.text import Color, cut, painted, width
from mlxlock.steps.report import Columns, Json, Line, Raw, Report

HOSTILE = {
    "escape": "a\x1b[2Jb",
    "c1": "a\x9b2Jb",
    "return": "a\rb",
    "newline": "a\nb",
    "bell": "a\x07b",
    "turned": "a\u202egnp.exe",
    "isolate": "a\u2066b",
    "joined": "a\u200db",
    "surrogate": "a\udcffb",
    "separator": "a\u2028b",
    "private": "a\ue000b",
}
OBEYED = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def obeyed(text: str) -> list[str]:
    """What of a text a terminal could obey."""
    return [char for char in text if unicodedata.category(char) in OBEYED and char != "\n"]


@pytest.fixture(autouse=True)
def _plain_environment() -> None:
    """A terminal that says nothing of colour; `conftest` gives the environment back."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        os.environ.pop(name, None)
    os.environ["TERM"] = "xterm"


@pytest.mark.parametrize("case", HOSTILE)
def test_what_a_terminal_could_obey_is_escaped(case: str) -> None:
    shown = safe(HOSTILE[case])
    assert obeyed(shown) == []
    assert "\n" not in shown
    assert shown.startswith("a\\")


def test_what_people_write_stays_as_it_is() -> None:
    for text in ("plain", "`org/name` @ 3f9c…", "模型", "naïve", "🤗", "└── x"):
        assert safe(text) is text


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("json_", [False, True])
def test_every_place_of_an_answer_is_escaped(
    case: str, json_: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    text = HOSTILE[case]
    data: dict[str, Json] = {"name": text, text: [text]}
    columns = Columns(rows=((text, text),), header=(text, "x"))
    report = Report(
        command="tree",
        data=data,
        lines=(Line(text), columns),
        exit_code=1,
        error_code="policy",
        message=text,
        hint=text,
    )
    look = Look(json=json_, verbose=1)
    assert show_report(report, look) == 1
    assert show_error("lock", LockfileError(text, details=(text,), hint=text), look) == 2
    progress = Progress(look)
    for level in ("step", "warning", "detail"):
        progress(Note(text=text, level=level))
    out, err = capsys.readouterr()
    assert obeyed(out + err) == []
    if json_:
        assert out.isascii()
        assert json.loads(out[: out.index("\n}") + 2])["data"] == data
    else:
        assert (out.count("\n"), err.count("\n")) == (3, 4 + 4 + 3 - 1)


def test_shell_lines_are_bytes_as_they_are(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    show_report(Raw(command="env", data={}, text="export A='\udcff\x1b';\n"), Look())
    assert capfdbinary.readouterr().out == b"export A='\xff\x1b';\n"


@pytest.mark.parametrize(
    ("text", "columns"),
    [("plain", 5), ("", 0), ("模型", 4), ("ｶﾅ", 2), ("\uff21", 2), ("e\u0301", 1), ("🤗", 2), ("…└─", 3)],
)
def test_width_is_what_a_terminal_gives(text: str, columns: int) -> None:
    assert width(text) == columns


def test_columns_align_whatever_the_names_are_written_in(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("plain", "模型", "🤗 hug", "e\u0301te\u0301")
    show_report(
        Report(
            command="tree",
            data={},
            lines=(Columns(header=("Name", "Size"), rows=tuple((name, "1 B") for name in names)),),
        ),
        Look(),
    )
    header, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(names)
    assert {width(row[: row.index("1 B")]) for row in rows} == {header.index("Size")}


@given(st.text(st.characters(exclude_categories=["C", "Z"])), st.integers(1, 40))
def test_a_cut_text_fits_and_a_fitting_one_is_not_cut(text: str, columns: int) -> None:
    shorter = cut(text, columns)
    assert width(shorter) <= columns
    assert (shorter == text) == (width(text) <= columns)


def test_a_cut_text_keeps_both_ends() -> None:
    assert cut("mlx-community/Qwen3-4B-4bit", 11) == "mlx-c…-4bit"
    assert cut("模型模型模型", 6) == "模…型"


class Terminal:
    """A real terminal, and what stands on it."""

    def __init__(self, columns: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        tty.setraw(slave)
        self.stream: IO[str] = os.fdopen(slave, "w", encoding="utf-8")
        self.written = ""

    def close(self) -> None:
        """Keep what was written."""
        self.stream.close()
        found = b""
        with contextlib.suppress(OSError):  # the other end is closed: all was read
            while chunk := os.read(self.master, 65536):
                found += chunk
        os.close(self.master)
        self.written = found.decode()


@contextlib.contextmanager
def terminal(columns: int = 80) -> Iterator[Terminal]:
    """Stdout and stderr on a terminal."""
    made = Terminal(columns)
    os.environ.pop("COLUMNS", None)
    try:
        with contextlib.redirect_stdout(made.stream), contextlib.redirect_stderr(made.stream):
            yield made
    finally:
        made.close()


def screen(written: str) -> list[str]:
    """The lines that a terminal shows for what was written."""
    lines, column = [""], 0
    for char in written:
        if char == "\n":
            lines, column = [*lines, ""], 0
        elif char == "\r":
            column = 0
        else:
            lines[-1] = lines[-1][:column].ljust(column) + char + lines[-1][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines]


COLORS: dict[str, tuple[dict[str, str], Color, bool, bool]] = {
    "terminal": ({}, "auto", True, True),
    "pipe": ({}, "auto", False, False),
    "dumb": ({"TERM": "dumb"}, "auto", True, False),
    "no color": ({"NO_COLOR": "1"}, "auto", True, False),
    "empty no color": ({"NO_COLOR": ""}, "auto", True, True),
    "forced": ({"FORCE_COLOR": "1"}, "auto", False, True),
    "forced otherwise": ({"CLICOLOR_FORCE": "1"}, "auto", False, True),
    "not forced": ({"FORCE_COLOR": "0", "CLICOLOR_FORCE": "0"}, "auto", False, False),
    "no color over forced": ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", True, False),
    "flag over no color": ({"NO_COLOR": "1"}, "always", False, True),
    "flag over terminal": ({"FORCE_COLOR": "1"}, "never", True, False),
}


@pytest.mark.parametrize("case", COLORS)
def test_colour_is_for_those_who_want_it(case: str) -> None:
    environment, flag, on_terminal, colored = COLORS[case]
    os.environ.update(environment)
    with terminal() as made:
        stream = made.stream if on_terminal else io.StringIO()
        assert ("\x1b[32m" in painted("x", "good", stream, flag)) == colored


@pytest.mark.parametrize(("columns", "whole"), [(80, True), (40, False)])
def test_one_column_gives_way_on_a_narrow_terminal(columns: int, whole: bool) -> None:
    name = "mlx-community/Qwen3-4B-Instruct-2507-4bit"
    table = Columns(header=("Model", "Size"), rows=((name, "2.1 GiB"),), gives_way=0)
    with terminal(columns) as made:
        show_report(Report(command="tree", data={}, lines=(table,)), Look(color="never"))
    _, row, _ = screen(made.written)
    assert row.endswith("2.1 GiB")
    assert (name in row) == whole
    assert width(row) <= columns


def test_nothing_is_cut_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["COLUMNS"] = "20"
    name = "mlx-community/Qwen3-4B-Instruct-2507-4bit"
    table = Columns(rows=((name, "2.1 GiB"),), gives_way=0)
    show_report(Report(command="tree", data={}, lines=(table,)), Look())
    assert name in capsys.readouterr().out


def told(look: Look, note: str = "a note") -> str:
    """What a terminal gets of a download with a note in its middle."""
    with terminal() as made:
        progress = Progress(look)
        for name in ("a", "b"):
            progress(Started(task=name, label=f"{name}\x1b[2J.safetensors", total=1000))
        time.sleep(0.15)  # so long that a bar is worth it
        progress(Advanced(task="a", amount=700))
        progress(Note(text=note, level="warning"))
        progress(Advanced(task="a", amount=300))
        progress(Finished(task="a"))
        progress(Advanced(task="b", amount=500))
        progress(Note(text="a step"))
        progress.close()
    return made.written


def test_bars_are_drawn_and_taken_away() -> None:
    written = told(Look(color="never"))
    assert "2.00k" in written or "1.95k" in written, "the bar knows the whole from the start"
    assert "1 of 2 files" in written
    assert max(map(len, written.replace("\n", "\r").split("\r"))) <= 76, "the echo of Ctrl-C does not wrap"
    assert "\x1b" not in written.replace("\x1b[A", "")
    assert screen(written) == ["warning: a note", "a step", ""]


@pytest.mark.parametrize(
    ("look", "lines"),
    [
        (Look(color="never", progress=False), ["warning: a note", "a step", ""]),
        (Look(color="never", quiet=1), ["warning: a note", ""]),
        (Look(color="never", quiet=2), [""]),
        (Look(color="never", json=True), ["warning: a note", ""]),
    ],
)
def test_whoever_wants_no_bar_gets_none(look: Look, lines: list[str]) -> None:
    written = told(look)
    assert "%" not in written
    assert screen(written) == lines


def test_a_dumb_terminal_and_a_pipe_get_no_bar() -> None:
    os.environ["TERM"] = "dumb"
    assert "%" not in told(Look())
    os.environ["TERM"] = "xterm"
    with contextlib.redirect_stderr(io.StringIO()) as pipe:
        progress = Progress(Look())
        progress(Started(task="a", label="a", total=1))
        progress(Advanced(task="a", amount=1))
        progress.close()
    assert pipe.getvalue() == ""


def test_one_file_is_called_by_its_name_and_its_name_moves_nothing() -> None:
    with terminal() as made:
        progress = Progress(Look(color="never"))
        progress(Started(task="a", label="a\x1b[2J.safetensors", total=1000))
        time.sleep(0.15)  # so long that a bar is worth it
        progress(Advanced(task="a", amount=700))
        progress(Finished(task="a"))
        progress(Started(task="b", label="building", total=10, unit="files"))
        time.sleep(0.15)
        progress(Advanced(task="b", amount=4))
        progress.close()
    written = made.written
    assert "\x1b" not in written
    assert "a\\x1b[2J.safetensors" in written
    assert "building  40% |" in written
    assert "| 4/10" in written
    assert screen(written) == [""]


def test_details_are_for_the_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    for look in (Look(), Look(verbose=1)):
        Progress(look)(Note(text="a detail", level="detail"))
    assert capsys.readouterr().err == "a detail\n"


@pytest.mark.parametrize(("quiet", "said"), [(0, "a line\n"), (1, "a line\n"), (2, "")])
def test_quiet_twice_leaves_only_errors(quiet: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    look = Look(quiet=quiet)
    show_report(Report(command="tree", data={}, lines=(Line("a line"),)), look)
    show_error("tree", LockfileError("wrong"), look)
    assert capsys.readouterr() == (said, "error: wrong\n")


def test_results_go_to_stdout_and_the_rest_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(
        command="verify",
        data={},
        lines=(Line("missing: x"),),
        exit_code=1,
        error_code="workspace-changed",
        message="1 finding",
        hint="run `mlxk sync`",
    )
    show_report(report, Look())
    out, err = capsys.readouterr()
    assert out == "missing: x\n"
    assert err == "error: 1 finding\n\nhint: run `mlxk sync`\n"
    assert sys.stdout is not sys.stderr
