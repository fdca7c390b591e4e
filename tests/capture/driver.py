"""Runs jobs in sandboxes, from a process of its own: `python -m tests.capture.driver`, an order a line.

Owns nothing but the translation between JSON and the port, so that suites can run jobs as another user, and
kill the process that runs one.
"""

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any

from mlxlock.capture.candidate import Candidate
from mlxlock.capture.confined import Confined
from mlxlock.capture.confinement import Means
from mlxlock.capture.interpreter import interpreter_paths
from mlxlock.capture.linux_bwrap import find_bwrap
from mlxlock.capture.linux_landlock import find_landlock
from mlxlock.capture.linux_namespaces import find_namespaces
from mlxlock.capture.macos_seatbelt import find_seatbelt
from mlxlock.capture.measure import measure
from mlxlock.capture.none import NoSandbox
from mlxlock.capture.search import Search
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Service

GREETING = "{} served from outside"


def greeting(name: str) -> Callable[[socket], AbstractContextManager[None]]:
    """What says `GREETING` to everyone who connects."""

    @contextmanager
    def serve(listener: socket) -> Iterator[None]:
        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(GREETING.format(name).encode())

        thread = threading.Thread(target=answer)
        thread.start()
        yield
        listener.shutdown(SHUT_RDWR)
        thread.join()

    return serve


def job_of(order: Mapping[str, Any]) -> Job:
    """The job that an order describes."""
    return Job(
        argv=tuple(order["argv"]),
        env=order.get("env", {}),
        cwd=Path(order.get("cwd", "/")),
        readable=tuple(map(Path, order.get("readable", ()))),
        writable=tuple(map(Path, order.get("writable", ()))),
        timeout_s=order.get("timeout_s", 100.0),
        hidden=tuple(map(Path, order.get("hidden", ()))),
        services={
            name: Service(port=port, serve=greeting(name)) for name, port in order.get("services", {}).items()
        },
        memory_bytes=order.get("memory_bytes"),
        passthrough=order.get("passthrough", False),
    )


@cache
def candidate_of(backend: str) -> Candidate:
    """The backend of this name, untried; variants stand for kernels that offer less than this one."""
    name, _, variant = backend.partition("@")
    search = Search(which=_which, search_path=os.defpath, project=None, python=Path(sys.executable))
    if variant.isdecimal():
        visible = interpreter_paths(search.python)
        means = Means(namespaces=False, processes=False, abi=int(variant), visible=visible)
        older = Confined(name=backend, level="partial", python=search.python, means=means)
        return Candidate(sandbox=older, claims="partial", python=search.python, visible=visible)
    find = {
        "linux-bwrap": find_bwrap,
        "linux-namespaces": find_namespaces,
        "linux-landlock": find_landlock,
        "macos-seatbelt": find_seatbelt,
    }[name]
    return list(find(search))[1 if variant else 0]


def _which(name: str, path: str) -> str | None:
    return shutil.which(name, path=path)


def run(order: Mapping[str, Any]) -> dict[str, Any]:
    """Run the job of an order in the backend it names, or measure that."""
    if order["backend"] == "none":
        return asdict(NoSandbox().run(job_of(order)))
    candidate = candidate_of(order["backend"])
    if order.get("measure"):
        return {"level": measure(candidate)}
    return asdict(candidate.sandbox.run(job_of(order)))


def main() -> None:
    """Read orders, run each, write each answer."""
    for line in sys.stdin:
        try:
            answer = run(json.loads(line))
        except SandboxError as error:
            answer = {"refused": [error.reason, error.hint, *error.details]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
