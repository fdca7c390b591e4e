"""Users to run sandboxes as, in each backend, and a scratch directory that each of them may use.

As root, every suite here runs twice: as root and, through `setpriv`, as a user without any privilege.
"""

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mlxlock.ports import Outcome

_PLAIN_ID = 65534
_TIMEOUT_S = 240.0
_REPO = Path(__file__).resolve().parents[2]
_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
_AS_PLAIN = ("setpriv", f"--reuid={_PLAIN_ID}", f"--regid={_PLAIN_ID}", "--clear-groups")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Someone who runs sandboxes.

    Attributes:
        prefix: What makes a command line theirs.
        python: An interpreter that they can run.
        packages: Where mlxlock's dependencies are, for that interpreter.
        backend: What keeps their jobs in, as `driver.candidate_of` names it.
    """

    prefix: tuple[str, ...]
    python: Path
    packages: tuple[Path, ...]
    backend: str = "linux-bwrap"

    @property
    def can_except(self) -> bool:
        """Whether the view has exceptions below what is seen; Landlock only knows what is allowed."""
        return "landlock" not in self.backend

    @property
    def has_own_view(self) -> bool:
        """Whether what a job may not see is not there at all, instead of closed."""
        return "bwrap" in self.backend

    def command(self) -> tuple[str, ...]:
        """The command line that reads an order."""
        return (*self.prefix, str(self.python), "-m", "tests.capture.driver")

    def environment(self) -> dict[str, str]:
        """The driver's environment, with a secret that no child may ever see."""
        path = os.pathsep.join(str(place) for place in (_REPO, *self.packages))
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": path,
            "HF_TOKEN": "hf_secret",
            "HOME": "/nonexistent",
        }

    def run(self, **order: Any) -> Outcome:
        """Run one job to its end.

        Raises:
            AssertionError: The sandbox refused, or the driver failed.
        """
        answer = self.answer(**order)
        assert "refused" not in answer, answer
        return Outcome(**answer)

    def answer(self, **order: Any) -> dict[str, Any]:
        """Run one job; what the driver says of it.

        Raises:
            AssertionError: The driver failed.
        """
        driver = _driver_of(self)
        assert driver.stdin is not None
        assert driver.stdout is not None
        driver.stdin.write(json.dumps({"backend": self.backend, **order}) + "\n")
        driver.stdin.flush()
        ready, _, _ = select.select([driver.stdout], [], [], _TIMEOUT_S)
        assert ready, "no answer in time"
        answer: dict[str, Any] = json.loads(driver.stdout.readline())
        return answer

    def python_run(self, code: str, **order: Any) -> Outcome:
        """Run a Python program in the sandbox, by this user's interpreter."""
        return self.run(argv=[str(self.python), "-I", "-S", "-c", code], **order)


_drivers: dict[tuple[str, ...], subprocess.Popen[str]] = {}


def _driver_of(user: User) -> subprocess.Popen[str]:
    """The driver that runs the user's jobs, one after the other."""
    driver = _drivers.get(user.prefix)
    if driver is None or driver.poll() is not None:
        driver = subprocess.Popen(
            user.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=user.environment(),
            cwd=_REPO,
            text=True,
        )
        _drivers[user.prefix] = driver
    return driver


@pytest.fixture(scope="session", autouse=True)
def _ended_drivers() -> Iterator[None]:
    yield
    for driver in _drivers.values():
        with driver:
            driver.kill()
    _drivers.clear()


def _plain_user() -> User | None:
    """Find an interpreter that a user without privileges can run; the suite's own may lie in root's home."""
    packages = tuple(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    wanted = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, shutil.which(f"python{wanted}", path="/usr/bin:/usr/local/bin")):
        if candidate is None:
            continue
        tried = subprocess.run(
            [*_AS_PLAIN, "/bin/sh", "-c", f'"{candidate}" -c "{_VERSION}"'],
            capture_output=True,
            text=True,
            check=False,
        )
        if tried.stdout.strip() == wanted:
            return User(prefix=_AS_PLAIN, python=Path(candidate), packages=packages)
    return None


linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux's own: its sandboxes, its system calls")

BACKENDS: tuple[str, ...]
VARIANTS: tuple[str, ...]
if sys.platform == "darwin":
    BACKENDS = VARIANTS = ("macos-seatbelt",)
else:
    BACKENDS = ("linux-bwrap", "linux-namespaces", "linux-landlock")
    VARIANTS = (*BACKENDS, "linux-bwrap@nested", "linux-namespaces@processes", "linux-landlock@5")
# Every backend for this system; and what they do without `--disable-userns`, without a process namespace, and
# without Landlock's limits for signals.


@pytest.fixture(scope="session", params=["myself", "plain user"])
def somebody(request: pytest.FixtureRequest) -> User:
    """Whoever runs the suite; when that is root, also a user without any privilege."""
    if request.param == "myself":
        return User(prefix=(), python=Path(sys.executable), packages=())
    plain = _plain_user() if os.geteuid() == 0 else None
    if plain is None:
        pytest.skip("only root can become another user, and that user needs an interpreter")
    return plain


@pytest.fixture(params=BACKENDS)
def user(request: pytest.FixtureRequest, somebody: User) -> User:
    """Somebody, in each backend."""
    return replace(somebody, backend=request.param)


@pytest.fixture(params=VARIANTS)
def user_of_any(request: pytest.FixtureRequest, somebody: User) -> User:
    """Somebody, in each backend, also where it does without something."""
    return replace(somebody, backend=request.param)


@pytest.fixture
def place(somebody: User) -> Iterator[Path]:
    """A directory below /tmp that belongs to the user."""
    folder = Path(tempfile.mkdtemp(prefix="mlxk-capture-", dir="/tmp"))
    if somebody.prefix:
        os.chown(folder, _PLAIN_ID, _PLAIN_ID)
    yield folder
    shutil.rmtree(folder)


def own(user: User, *paths: Path) -> None:
    """Give paths to the user."""
    if user.prefix:
        for path in paths:
            os.chown(path, _PLAIN_ID, _PLAIN_ID)


def ended_in_time(ready: Path, run: Callable[[float], Outcome]) -> Outcome:
    """A job whose time ended after it had made the file `ready`: on a slow machine it gets more time."""
    for timeout_s in (1.5, 10.0):
        outcome = run(timeout_s)
        if ready.exists():
            return outcome
    return run(60.0)


def somebody_holds(path: Path) -> bool:
    """Whether any process has the lock on a file."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
