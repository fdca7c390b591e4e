"""Runs one job in a sandbox, from a process of its own: `python -m tests.capture.driver < order.json`.

Owns nothing but the translation between JSON and the port, so that suites can run jobs as another user, and
kill the process that runs one.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from socket import socket
from typing import Any

from mlxlock.capture.choose import choose
from mlxlock.capture.none import NoSandbox
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Outcome, Sandbox

GREETING = b"served from outside"


@contextmanager
def greet(listener: socket) -> Iterator[None]:
    """Answer the one connection that the kernel already queued for us when the child ends."""
    import threading  # noqa: PLC0415 - only where it is needed

    def answer() -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.sendall(GREETING)

    listener.settimeout(20)
    thread = threading.Thread(target=answer)
    thread.start()
    yield
    thread.join()


def job_of(order: Mapping[str, Any]) -> Job:
    """The job that an order describes."""
    return Job(
        argv=tuple(order["argv"]),
        env=order.get("env", {}),
        cwd=Path(order.get("cwd", "/")),
        readable=tuple(map(Path, order.get("readable", ()))),
        writable=tuple(map(Path, order.get("writable", ()))),
        timeout_s=order.get("timeout_s", 30.0),
        endpoint_port=order.get("endpoint_port"),
        serve=greet if order.get("greet") else None,
        memory_bytes=order.get("memory_bytes"),
        passthrough=order.get("passthrough", False),
    )


def run(order: Mapping[str, Any]) -> Outcome:
    """Run the job of an order in the backend it names."""
    sandbox: Sandbox = NoSandbox() if order.get("backend") == "none" else choose("full", project=None)
    return sandbox.run(job_of(order))


def main() -> None:
    """Read the order, run it, write the outcome."""
    try:
        answer = asdict(run(json.load(sys.stdin)))
    except SandboxError as error:
        answer = {"refused": [error.reason, error.hint, *error.details]}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
