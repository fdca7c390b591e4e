"""`chat.py` loads a model once and remembers what was said; a terminal can stop an answer and the whole."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.runners.driver import RUNNERS, Driver
from tests.tinymodels import MODELS
from tests.tinymodels.media import write_png

pytestmark = pytest.mark.mlx


def written_job(folder: Path, **job: object) -> str:
    path = folder / "JOB.json"
    path.write_text(json.dumps({"stream": True, "output": str(folder / "RESULT.json"), **job}))
    return str(path)


def said(folder: Path, lines: str, **job: object) -> tuple[list[str], dict[str, object]]:
    """What is answered to lines on a pipe, and RESULT.json."""
    done = subprocess.run(
        [sys.executable, str(RUNNERS / "chat.py"), written_job(folder, **job)],
        input=lines,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), json.loads((folder / "RESULT.json").read_bytes())


@pytest.mark.parametrize("name", ["text", "vision"])
def test_what_was_said_before_is_part_of_the_question(tiny_models: Path, tmp_path: Path, name: str) -> None:
    job: dict[str, object] = {"kind": name, "model": str(tiny_models / MODELS[name].repo), "max_tokens": 6}
    if name == "vision":
        job["image"] = str(write_png(tmp_path / "a.png"))
    answers, result = said(
        tmp_path, "hello world\n\nhello fox\n/help\n/bye\nnever asked\n", system="please", **job
    )
    assert result["output"] == {"turns": 2}
    assert "/bye or Ctrl-D ends the chat" in answers[2]
    driver = Driver(tiny_models, tmp_path)
    history = [{"role": "user", "content": "hello world"}, {"role": "assistant", "content": answers[0]}]
    again = driver.run(
        {**job, "system": "please", "prompt": "hello fox", "history": history, "exercise": False}
    )
    assert answers[1] == str(again.output["text"]).rstrip("\n")
    alone = driver.run({**job, "system": "please", "prompt": "hello fox", "exercise": False})
    assert alone.output["input_digest"] != again.output["input_digest"]


@contextmanager
def terminal(job: str, home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A chat on a terminal of its own, whose Ctrl-C reaches it."""
    ours, theirs = pty.openpty()
    steps = (
        "import fcntl, os, sys, termios",
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)",
        "os.execv(sys.argv[1], sys.argv[1:])",
    )
    take = "; ".join(steps)
    command = [sys.executable, "-c", take, sys.executable, str(RUNNERS / "chat.py"), job]
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "HF_HUB_OFFLINE": "1", "TERM": "dumb"}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=env, start_new_session=True
    ) as child:
        os.close(theirs)
        try:
            yield child, ours
        finally:
            child.kill()
            os.close(ours)


def shown_until(screen: int, end: str, limit_s: float = 120) -> str:
    text, deadline = "", time.monotonic() + limit_s
    while not text.endswith(end):
        ready, _, _ = select.select([screen], [], [], max(deadline - time.monotonic(), 0))
        assert ready, text
        text += os.read(screen, 4096).decode("utf-8", "replace")
    return text


def interrupt_the_prompt(screen: int) -> None:
    """Press Ctrl-C until it is heard: Python hears none between showing a prompt and waiting for a key."""
    for _ in range(30):
        os.write(screen, b"\x03")
        if select.select([screen], [], [], 2)[0]:
            break
    shown_until(screen, ">>> ")


def test_ctrl_c_stops_an_answer_and_ctrl_d_the_chat(tiny_models: Path, tmp_path: Path) -> None:
    model = str(tiny_models / MODELS["text"].repo)
    job = written_job(tmp_path, kind="text", model=model, max_tokens=100_000, temperature=2.0)
    with terminal(job, tmp_path) as (child, screen):
        shown_until(screen, ">>> ")
        os.write(screen, b"hello world\n")
        shown_until(screen, "hello world\r\n")
        assert select.select([screen], [], [], 120)[0]  # it began to answer
        os.write(screen, b"\x03")
        shown_until(screen, ">>> ")
        interrupt_the_prompt(screen)
        os.write(screen, b"\x04")
        assert child.wait(120) == 0
    assert json.loads((tmp_path / "RESULT.json").read_bytes())["output"] == {"turns": 1}


def test_a_terminal_gets_nothing_that_it_could_obey(tiny_models: Path) -> None:
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('generate', {str(RUNNERS / 'generate.py')!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        f"show = module.Show(module.Job(kind='text', model={str(tiny_models)!r}, stream=True))\n"
        "show('a\\x1b[2Jb\\u202ec\\td'); show.end_line()\n"
    )
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", code], stdout=theirs, check=True)
    os.close(theirs)
    assert os.read(ours, 100).decode() == "a\ufffd[2Jb\ufffdc\td\r\n"
    os.close(ours)
    tamed = code.replace("stream=True", "stream=True, tame=True")
    enclosed = subprocess.run([sys.executable, "-c", tamed], capture_output=True, check=True)
    assert enclosed.stdout.decode() == "a\ufffd[2Jb\ufffdc\td\n"
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert piped.stdout.decode() == "a\x1b[2Jb\u202ec\td\n"


def test_an_interrupt_while_loading_ends_it(tiny_models: Path, tmp_path: Path) -> None:
    model = str(tiny_models / MODELS["text"].repo)
    phase = tmp_path / "phase"
    job = written_job(tmp_path, kind="text", model=model, phase_file=str(phase))
    with terminal(job, tmp_path) as (child, _):
        deadline = time.monotonic() + 60
        while not phase.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == -signal.SIGINT
