"""One child process: started, its output kept in bounded tails, waited for, killed with its whole group.

Owns descriptors and signals of a process. Knows nothing of sandboxes.
"""

import os
import select
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Final, Self

TAIL_BYTES: Final = 64 * 1024
_CHUNK_BYTES: Final = 1 << 16
_DRAIN_S: Final = 5.0
_SIGNALLED: Final = 128


class Tail:
    """The last bytes of a stream, read by a thread so that the writer never waits.

    Args:
        stream: What to read until its end.
        echo: Where every byte is also written, as it comes.
    """

    def __init__(self, stream: IO[bytes], *, echo: IO[bytes] | None = None) -> None:
        self._stream = stream
        self._echo = echo
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._read, name="tail", daemon=True)
        self._thread.start()

    def close(self) -> str:
        """Wait for the stream's end; the last 64 KiB as text, what is no UTF-8 replaced."""
        self._thread.join(_DRAIN_S)
        if not self._thread.is_alive():
            self._stream.close()
        return bytes(self._kept[-TAIL_BYTES:]).decode("utf-8", "replace")

    def _read(self) -> None:
        while chunk := os.read(self._stream.fileno(), _CHUNK_BYTES):
            self._repeat(chunk)
            self._kept += chunk
            del self._kept[:-TAIL_BYTES]

    def _repeat(self, chunk: bytes) -> None:
        if self._echo is None:
            return
        try:
            self._echo.write(chunk)
            self._echo.flush()
        except OSError:  # nobody listens any more; the child must still be able to write
            self._echo = None


class Process:
    """A child in a session of its own, with an empty environment and no input.

    Leaving the context kills whatever of its group is left. Standard output is always read by us and never
    inherited: a terminal's descriptor could be opened again, for reading.

    Args:
        command: Program and arguments, absolute.
        keep_fds: The only descriptors it inherits.
        echo: Where its standard output goes; None keeps the tail of it instead.
    """

    def __init__(
        self, command: Sequence[str], *, keep_fds: Sequence[int], echo: IO[bytes] | None = None
    ) -> None:
        self._popen = subprocess.Popen(
            command,
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=tuple(keep_fds),
            start_new_session=True,
        )
        self.stdout = ""
        self.stderr = ""
        self._echoes = echo is not None
        self._ended = False
        stdout, stderr = self._popen.stdout, self._popen.stderr
        if stdout is None or stderr is None:
            raise AssertionError("both were asked for")
        self._tails = Tail(stdout, echo=echo), Tail(stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Its process id, and its group's."""
        return self._popen.pid

    @property
    def exit_code(self) -> int:
        """Its status; 128 + N for signal N. Only after `end`."""
        status = self._popen.returncode
        return status if status >= 0 else _SIGNALLED - status

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False when the time is over first."""
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """Kill it and its group, reap it, and take what it said last; a second time does nothing."""
        if self._ended:
            return
        self._ended = True
        with suppress(ProcessLookupError, PermissionError):  # nobody is left; macOS says it the second way
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        stdout, self.stderr = (tail.close() for tail in self._tails)
        self.stdout = "" if self._echoes else stdout


def await_end(pidfd: int) -> None:
    """Wait a little until the process behind a pidfd is gone."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.poll(_DRAIN_S * 1000)
