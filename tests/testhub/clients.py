"""Unmodified huggingface_hub, each version in a process of its own.

Owns the processes and their environment: a home of their own, the Hub under test, and no way out. Never
imports huggingface_hub.
"""

import json
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_DRIVER = Path(__file__).with_name("driver.py")
_TIMEOUT_S = 240
_NO_WAY_OUT = "http://127.0.0.1:9"


class ClientError(Exception):
    """What the library raised; `kinds` are the names of its class and of every base."""

    def __init__(self, kinds: tuple[str, ...], text: str) -> None:
        super().__init__(f"{kinds[0]}: {text}")
        self.kinds = kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One version of huggingface_hub, its own home, and the Hub it is pointed at."""

    python: Path
    home: Path
    endpoint: str
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        """Where the library keeps its repos."""
        return self.home / "hf" / "hub"

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return all that a process gets to see."""
        return {
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "HF_HOME": str(self.home / "hf"),
            "HF_ENDPOINT": self.endpoint,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HTTP_PROXY": _NO_WAY_OUT,
            "HTTPS_PROXY": _NO_WAY_OUT,
            "NO_PROXY": "localhost,127.0.0.1",
            **self.more,
            **more,
        }

    def start(self, **more: str) -> "Client":
        """Start a process that calls the library; `more` are variables for it alone."""
        return Client(self.python, self.environment(more), self.home)

    def hf(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the `hf` command."""
        return self._run(["-c", "from huggingface_hub.cli.hf import main; main()", *arguments])

    def _run(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *arguments],
            check=False,
            capture_output=True,
            encoding="utf-8",
            cwd=self.home,
            env=self.environment({}),
            timeout=_TIMEOUT_S,
        )


class Client:
    """A running process; its module state lives as long as it does."""

    def __init__(self, python: Path, environment: Mapping[str, str], folder: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), str(_DRIVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            cwd=folder,
            env=dict(environment),
        )
        self._timer = threading.Timer(_TIMEOUT_S, self._process.kill)
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._timer.join()
        self._process.kill()
        self._process.communicate()

    def call(self, name: str, **arguments: object) -> Any:
        """Call a function of huggingface_hub and return its value, as JSON holds it.

        Raises:
            ClientError: The function raised.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, arguments]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": [["Died"], "no answer"]}')
        if "error" in answer:
            kinds, text = answer["error"]
            raise ClientError(tuple(kinds), text)
        return answer["value"]

    def error(self, name: str, **arguments: object) -> tuple[str, ...]:
        """Call a function that must fail; return the names of the exception's class and its bases."""
        try:
            value = self.call(name, **arguments)
        except ClientError as error:
            return error.kinds
        raise AssertionError(f"{name} returned {value!r}")
