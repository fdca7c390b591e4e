"""What code inside the real sandbox tries, and must not be able to do."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.capture.conftest import User, own
from tests.capture.driver import GREETING

pytestmark = pytest.mark.sandbox

_TRY = """
import errno, os, socket, sys
def tried(what):
    try:
        what()
    except OSError as error:
        print(errno.errorcode.get(error.errno, type(error).__name__))
    else:
        print("DONE")
"""


def attempts(user: User, *expressions: str, **order: object) -> list[str]:
    """What each expression came to inside: `DONE`, or the name of its errno."""
    code = _TRY + "".join(f"tried(lambda: {expression})\n" for expression in expressions)
    outcome = user.python_run(code, **order)
    assert outcome.exit_code == 0, outcome.stderr
    return outcome.stdout.split()


@pytest.fixture
def host_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_only_ports_are_those_that_are_served_from_outside(user: User, host_port: int) -> None:
    code = (
        "import os, socket\n"
        "for name in ('HUB', 'EGRESS'):\n"
        "    with socket.create_connection(('127.0.0.1', int(os.environ[name]))) as c:\n"
        "        print(c.recv(99).decode())\n"
    )
    services = {"hub": 8001, "egress": 8002}
    outcome = user.python_run(code, services=services, env={"HUB": "{hub}", "EGRESS": "{egress}"})
    assert outcome.stdout.splitlines() == [GREETING.format("hub"), GREETING.format("egress")]
    reach = f"socket.create_connection(('127.0.0.1', {host_port}), 5)"
    assert attempts(user, reach, services=services) == ["ECONNREFUSED"]


def test_without_services_there_is_no_listener(user: User) -> None:
    reach = "socket.create_connection(('127.0.0.1', 8001), 5)"
    assert attempts(user, reach, env={"PORT": "{hub}"}) == ["ECONNREFUSED"]


def test_no_address_is_reachable(user: User) -> None:
    found = attempts(
        user,
        "socket.create_connection(('192.0.2.1', 80), 5)",
        "socket.create_connection(('2001:db8::1', 80), 5)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        services={"hub": 8001},
    )
    assert set(found) <= {"ENETUNREACH", "EADDRNOTAVAIL"}


def test_no_raw_and_no_vm_sockets(user: User) -> None:
    found = attempts(
        user,
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
    )
    assert found == ["EAFNOSUPPORT", "EPERM", "EAFNOSUPPORT"]


def test_no_system_call_around_the_filter(user: User) -> None:
    """`io_uring_setup` opens sockets on its own; `keyctl` reads the keyring of the user's session."""
    code = """
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
for number in (425, {"x86_64": 250, "aarch64": 219}[platform.machine()]):
    print(libc.syscall(number, 1, ctypes.create_string_buffer(120), 0), ctypes.get_errno())
"""
    assert user.python_run(code).stdout.splitlines() == ["-1 1", "-1 1"]


def test_no_name_is_resolved(user: User) -> None:
    assert attempts(user, "socket.getaddrinfo('huggingface.co', 443)") == ["gaierror"]


def test_nothing_of_the_system_is_written(user: User, place: Path) -> None:
    workspace, cache = place / "ws", place / "ws" / "cache"
    cache.mkdir(parents=True)
    own(user, workspace, cache)
    found = attempts(
        user,
        "open('/etc/mlxk', 'w')",
        "open('/usr/mlxk', 'w')",
        "open('/mlxk', 'w')",
        "open(os.path.join(os.path.dirname(os.__file__), 'mlxk'), 'w')",
        f"open('{workspace}/mlxk', 'w')",
        f"open('{cache}/mlxk', 'w')",
        readable=[str(workspace)],
        writable=[str(cache)],
    )
    assert found[-1] == "DONE"
    assert set(found[:-1]) <= {"EROFS", "EACCES"}
    assert [path.name for path in workspace.rglob("*")] == ["cache", "mlxk"]


def test_what_is_written_around_a_visible_directory_stays_inside(user: User, place: Path) -> None:
    (place / "ws").mkdir()
    write = f"open('{place}/mlxk', 'w')"
    assert attempts(user, write, readable=[str(place / "ws")]) == ["DONE"]
    assert [path.name for path in place.iterdir()] == ["ws"]


def test_a_readable_directory_inside_a_writable_one_stays_readable(user: User, place: Path) -> None:
    inner = place / "models"
    inner.mkdir()
    own(user, inner)
    write = [f"open('{place}/a', 'w')", f"open('{inner}/a', 'w')"]
    assert attempts(user, *write, writable=[str(place)], readable=[str(inner)]) == ["DONE", "EROFS"]


def test_paths_through_symlinks_are_found_by_both_names(user: User, place: Path) -> None:
    (place / "real" / "ws").mkdir(parents=True)
    (place / "real" / "ws" / "file").write_text("here", encoding="ascii")
    (place / "link").symlink_to("real")
    asked = place / "link" / "ws"
    read = [f"open('{asked}/file')", f"open('{place}/real/ws/file')", f"os.listdir('{place}/real/../..')"]
    assert attempts(user, *read, readable=[str(asked)]) == ["DONE", "DONE", "DONE"]
    assert attempts(user, *read[:2], readable=[str(asked), str(place)]) == ["DONE", "DONE"]


def test_homes_and_neighbours_are_absent(user: User, place: Path) -> None:
    (place / "secret").write_text("token", encoding="ascii")
    (place / "ws").mkdir()
    outcome = user.python_run(
        "import os\n"
        f"print(os.path.exists('{place}/secret'), os.listdir('/home'), os.path.exists('/etc/shadow'))\n"
        "print([n for n in os.listdir('/root') if n != '.pyenv'], os.path.exists('/root/.ssh'))",
        readable=[str(place / "ws")],
    )
    assert outcome.stdout.splitlines()[0] == "False [] False"
    assert outcome.stdout.splitlines()[1] == "[] False"


def test_what_is_hidden_in_a_project_cannot_be_read(user: User, place: Path) -> None:
    project = place / "project"
    (project / ".git" / "refs").mkdir(parents=True)
    (project / ".git" / "config").write_text("token", encoding="ascii")
    for name in ("app.py", ".env", ".env.local"):
        (project / name).write_text("token", encoding="ascii")
    code = f"""
import os
for name in (".git/config", ".env", ".env.local", "app.py"):
    try:
        print(repr(open(os.path.join({str(project)!r}, name)).read()))
    except OSError:
        print("''")
print(os.listdir({str(project / ".git")!r}))
"""
    hidden = [str(project / name) for name in (".git", ".env", ".env.local", ".env.absent")]
    outcome = user.python_run(code, readable=[str(project)], hidden=hidden)
    assert outcome.stdout.splitlines() == ["''", "''", "''", "'token'", "[]"]


def test_no_host_unix_socket(user: User, place: Path) -> None:
    abstract = f"mlxk-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as nameless:
        named.bind(str(place / "socket"))
        named.listen()
        (place / "socket").chmod(0o777)
        nameless.bind(f"\0{abstract}")
        nameless.listen()
        found = attempts(
            user,
            f"socket.socket(socket.AF_UNIX).connect('{place}/socket')",
            f"socket.socket(socket.AF_UNIX).connect('\\0{abstract}')",
        )
    assert found == ["ENOENT", "ECONNREFUSED"]


def test_no_mount_no_namespace_no_device(user: User) -> None:
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
print(libc.unshare(0x10000000))
print(libc.unshare(0x00020000))
print(libc.mknod(b"/tmp/disk", 0o60600, 0x700))
print([line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd"))])
"""
    outcome = user.python_run(code)
    assert outcome.stdout.splitlines() == ["-1", "-1", "-1", "-1", "['0000000000000000', '0000000000000000']"]


def test_the_environment_is_exactly_what_was_given(user: User) -> None:
    env = {"A": "1", "LANG": "C.UTF-8", "URL": "http://127.0.0.1:{hub}/x", "UMLAUT": "ä\n"}
    outcome = user.run(argv=["/usr/bin/env", "-0"], env=env, services={"hub": 8002})
    got = dict(pair.split("=", 1) for pair in outcome.stdout.rstrip("\0").split("\0"))
    assert got == {**env, "URL": "http://127.0.0.1:8002/x"}


def test_proc_shows_nothing_of_the_parent(user: User) -> None:
    code = """
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try:
            print(open(f"/proc/{pid}/{name}", "rb").read())
        except OSError as error:
            print(error.strerror)
"""
    outcome = user.python_run(code, env={"SECRET_PREFIX": "given"})
    assert "hf_secret" not in outcome.stdout
    assert "HF_TOKEN" not in outcome.stdout
    assert "driver" not in outcome.stdout
    assert "given" in outcome.stdout


def test_the_environment_is_not_on_any_command_line(user: User) -> None:
    code = "import sys; print(open('/proc/1/cmdline').read().count('prefix-7f3a'))"
    assert user.python_run(code, env={"URL": "prefix-7f3a"}).stdout == "0\n"


_STAYS = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            with open(sys.argv[1], "w") as beat:
                beat.write(str(time.time()))
            time.sleep(0.01)
    os._exit(0)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
time.sleep(float(sys.argv[2]))
"""


def still_beats(beat: Path) -> bool:
    before = beat.read_text(encoding="ascii")
    time.sleep(0.2)
    return beat.read_text(encoding="ascii") != before


@pytest.mark.parametrize(("lasts", "timed_out"), [("60", True), ("0", False)])
def test_nothing_survives(user: User, place: Path, lasts: str, timed_out: bool) -> None:
    beat = place / "beat"
    argv = [str(user.python), "-I", "-S", "-c", _STAYS, str(beat), lasts]
    outcome = user.run(argv=argv, writable=[str(place)], timeout_s=3)
    assert (outcome.timed_out, outcome.exit_code) == (timed_out, 137 if timed_out else 0)
    assert not still_beats(beat)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_child_dies_with_us(user: User, place: Path, how: signal.Signals) -> None:
    beat = place / "beat"
    argv = [str(user.python), "-I", "-S", "-c", _STAYS, str(beat), "60"]
    order = json.dumps({"argv": argv, "writable": [str(place)], "timeout_s": 60})
    driver = subprocess.Popen(
        user.command(), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=user.environment()
    )
    try:
        assert driver.stdin is not None
        driver.stdin.write(order.encode())
        driver.stdin.close()
        _until(beat.exists)
        assert still_beats(beat)
        driver.send_signal(how)
        driver.wait(20)
    finally:
        driver.kill()
        driver.wait()
    _until(lambda: not still_beats(beat))


def _until(condition: object, *, within_s: float = 20.0) -> None:
    assert callable(condition)
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_memory_is_limited(user: User) -> None:
    outcome = user.python_run("bytearray(600 << 20)", memory_bytes=400 << 20)
    assert outcome.exit_code == 1
    assert "MemoryError" in outcome.stderr


def test_output_is_kept_from_its_end(user: User) -> None:
    outcome = user.python_run("import sys; print('x' * 9_000_000 + 'end'); sys.exit('failed')")
    assert (outcome.exit_code, outcome.stderr) == (1, "failed\n")
    assert outcome.stdout.endswith("xend\n")
    assert len(outcome.stdout) == 64 * 1024
