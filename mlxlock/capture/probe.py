"""Whether a sandbox works: a tiny program is really run in it and tries what it must not be able to do.

Owns that program. A backend that starts but does not hold is refused like one that does not start.
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from socket import socket
from typing import Final

from mlxlock.capture.diagnosis import WITHOUT
from mlxlock.errors import SandboxError
from mlxlock.ports import Job, Sandbox, Service

_PORT: Final = 8001
_TIMEOUT_S: Final = 60.0
_PROGRAM: Final = f"""
import socket, sys
socket.create_connection(("127.0.0.1", {_PORT}), 10).close()
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect(("192.0.2.1", 9))
    sys.exit("it reaches the network")
except OSError:
    pass
try:
    open("/usr/.mlxk-probe", "w").close()
    sys.exit("it writes to /usr")
except OSError:
    print("ready")
"""


def _unanswered(_listener: socket) -> AbstractContextManager[None]:
    """The kernel accepts the connection; nobody has to."""
    return nullcontext()


def prove(sandbox: Sandbox, python: Path) -> None:
    """Run the probe.

    Raises:
        SandboxError: The sandbox does not start, or does not hold.
    """
    outcome = sandbox.run(
        Job(
            argv=(str(python), "-I", "-S", "-c", _PROGRAM),
            env={},
            cwd=Path("/"),
            readable=(),
            writable=(),
            timeout_s=_TIMEOUT_S,
            services={"door": Service(port=_PORT, serve=_unanswered)},
        )
    )
    if outcome.exit_code != 0 or outcome.stdout != "ready\n":
        said = tuple(outcome.stderr.strip().splitlines()[-5:])
        raise SandboxError(f"`{sandbox.name}` does not hold what it promises", hint=WITHOUT, details=said)
