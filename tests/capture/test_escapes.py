"""What code inside each real sandbox tries, and must not be able to do."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from mlxlock.ports import Outcome
from tests.capture.conftest import User, ended_in_time, linux, own, somebody_holds
from tests.capture.driver import GREETING

pytestmark = pytest.mark.sandbox

_TRY = """
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(answer):
    if answer < 0:
        raise OSError(ctypes.get_errno(), "")
def tried(what):
    try:
        what()
    except OSError as error:
        print(errno.errorcode.get(error.errno, type(error).__name__))
    except AttributeError:
        print("UNKNOWN")
    else:
        print("DONE")
"""
CLOSED = {"EACCES", "ENOENT", "EPERM", "EROFS"}
UNREACHABLE = {"ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL", "EACCES", "EPERM", "EAFNOSUPPORT"}
if sys.platform == "darwin":
    UNREACHABLE |= {"EPROTONOSUPPORT", "ENOTCONN", "EPIPE"}  # it has no MPTCP by number, and no such flag


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


def test_each_backend_gets_the_level_that_it_claims(user: User) -> None:
    assert user.answer(measure=True) == {
        "level": "partial" if user.backend == "linux-landlock" else "full",
    }


# --- the network --------------------------------------------------------------------------------------------


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
    fast = f"socket.socket().sendto(b'x', {0x20000000}, ('127.0.0.1', {host_port}))"
    multipath = "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)"
    reach = [
        f"socket.create_connection(('127.0.0.1', {host_port}), 5)",
        f"socket.create_connection(('::1', {host_port}), 5)",
        f"{multipath}.connect(('127.0.0.1', {host_port}))",
        fast,
    ]
    assert set(attempts(user, *reach, services=services)) <= UNREACHABLE


def test_without_services_there_is_no_network(user: User, host_port: int) -> None:
    reach = [f"socket.create_connection(('127.0.0.1', {port}), 5)" for port in (8001, host_port)]
    assert set(attempts(user, *reach, env={"PORT": "{hub}"})) <= UNREACHABLE


@linux
def test_a_program_may_serve_itself_where_the_loopback_is_its_own(user: User) -> None:
    code = """
import socket, threading
try:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: listener.accept()[0].sendall(b"hello")).start()
        print(socket.create_connection(listener.getsockname()).recv(9).decode())
except OSError as error:
    print("refused")
"""
    expected = "refused" if user.backend == "linux-landlock" else "hello"
    assert user.python_run(code, services={"hub": 8001}).stdout.strip() == expected


def test_no_address_is_reachable(user: User) -> None:
    found = attempts(
        user,
        "socket.create_connection(('192.0.2.1', 80), 5)",
        "socket.create_connection(('2001:db8::1', 80), 5)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        services={"hub": 8001},
    )
    assert set(found) <= UNREACHABLE


def test_no_datagram_reaches_the_host(user: User, place: Path) -> None:
    path = place / "socket"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_UNIX) as _:
        udp.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as named:
            named.bind(str(path))
            path.chmod(0o777)
            attempts(
                user,
                f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {udp.getsockname()!r})",
                f"socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b'x', {str(path)!r})",
                services={"hub": 8001},
                readable=[str(place)] if not user.has_own_view else [],
            )
            for listener in (udp, named):
                listener.settimeout(0)
                with pytest.raises(BlockingIOError):
                    listener.recv(1)


@linux
def test_no_raw_and_no_vm_sockets(user: User) -> None:
    found = attempts(
        user,
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
        services={"hub": 8001},
    )
    assert found == ["EAFNOSUPPORT", "EPERM", "EAFNOSUPPORT"]


@linux
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


def test_no_host_unix_socket(user: User, place: Path) -> None:
    names = [str(place / "socket"), *([f"\0mlxk-{os.getpid()}"] if sys.platform == "linux" else [])]
    with ExitStack() as stack:
        for name in names:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(name)
            listener.listen()
        (place / "socket").chmod(0o777)
        found = attempts(user, *(f"socket.socket(socket.AF_UNIX).connect({name!r})" for name in names))
    assert set(found) <= CLOSED | UNREACHABLE


# --- files --------------------------------------------------------------------------------------------------


def test_nothing_is_written_but_what_may_be(user: User, place: Path) -> None:
    workspace, cache = place / "ws", place / "ws" / "cache"
    cache.mkdir(parents=True)
    (workspace / "kept").write_text("as it was", encoding="ascii")
    own(user, workspace, cache, workspace / "kept")
    found = attempts(
        user,
        "open('/etc/mlxk', 'w')",
        "open('/usr/mlxk', 'w')",
        "open('/mlxk', 'w')",
        "open(os.path.join(os.path.dirname(os.__file__), 'mlxk'), 'w')",
        f"open('{workspace}/mlxk', 'w')",
        f"open('{workspace}/kept', 'a')",
        f"os.truncate('{workspace}/kept', 0)",
        f"os.open('{workspace}/kept', os.O_RDONLY | os.O_TRUNC)",
        f"os.rename('{workspace}/kept', '{cache}/kept')",
        f"os.link('{workspace}/kept', '{cache}/linked')",
        f"os.unlink('{workspace}/kept')",
        f"open('{cache}/mlxk', 'w')",
        readable=[str(workspace)],
        writable=[str(cache)],
    )
    assert found[-1] == "DONE"
    assert set(found[:-1]) <= CLOSED | {"EXDEV"}
    assert sorted(path.name for path in workspace.rglob("*")) == ["cache", "kept", "mlxk"]
    assert (workspace / "kept").read_text(encoding="ascii") == "as it was"


def test_modes_and_times_of_what_may_not_be_written_stay(user: User, place: Path) -> None:
    inside, outside = place / "ws" / "kept", place / "kept"
    inside.parent.mkdir()
    for path in (inside, outside):
        path.touch(0o600)
        os.utime(path, (7, 7))
        own(user, path)
    attempts(
        user,
        *(
            f"{change.format(repr(str(path)))}"
            for path in (inside, outside)
            for change in (
                "os.chmod({}, 0o777)",
                "os.chown({}, os.getuid(), os.getgid())",
                "os.utime({}, (9, 9))",
                "os.setxattr({}, 'user.mlxk', b'x')",
                "os.fchmod(os.open({}, os.O_RDONLY), 0o777)",
            )
        ),
        readable=[str(inside.parent)],
    )
    for path in (inside, outside):
        assert (path.stat().st_mode & 0o777, path.stat().st_mtime, _attributes(path)) == (0o600, 7, [])


def _attributes(path: Path) -> list[str]:
    return os.listxattr(path) if sys.platform == "linux" else []


def test_files_are_made_copied_and_moved_as_anywhere(user: User, place: Path) -> None:
    code = f"""
import os, pathlib, shutil, tarfile
os.chdir({str(place)!r})
pathlib.Path("touched").touch()
pathlib.Path("touched").touch()
shutil.copy("touched", "copied")
shutil.copy2("touched", "copied2")
shutil.copytree(os.path.dirname(shutil.__file__) + "/json", "tree")
with tarfile.open("tar", "w") as tar:
    tar.add("tree")
with tarfile.open("tar") as tar:
    tar.extractall("out")
os.makedirs("there/below")
os.rename("copied", "there/below/moved")
os.symlink("moved", "there/below/link")
os.system("touch by-a-program && cp -p touched by-cp && mv by-cp there/by-mv")
"""
    outcome = user.python_run(code, writable=[str(place)], env={"PATH": "/usr/bin:/bin"})
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    made = {path.relative_to(place).as_posix() for path in place.rglob("*")}
    assert made >= {"touched", "copied2", "tree/decoder.py", "out/tree/decoder.py", "there/below/moved"}
    assert made >= {"there/below/link", "by-a-program", "there/by-mv"}


def test_what_is_written_around_a_visible_directory_stays_inside(user: User, place: Path) -> None:
    (place / "ws").mkdir()
    write = f"open('{place}/mlxk', 'w')"
    (found,) = attempts(user, write, readable=[str(place / "ws")])
    assert found == "DONE" if user.has_own_view else found in CLOSED
    assert [path.name for path in place.iterdir()] == ["ws"]


def test_a_readable_directory_inside_a_writable_one_stays_readable(user: User, place: Path) -> None:
    inner = place / "models"
    inner.mkdir()
    own(user, inner)
    order = {"writable": [str(place)], "readable": [str(inner)]}
    if not user.can_except:
        answer = user.answer(argv=["/bin/true"], **order)
        assert "cannot be kept read-only" in answer["refused"][0]
        return
    write = [f"open('{place}/a', 'w')", f"open('{inner}/a', 'w')"]
    done, refused = attempts(user, *write, **order)
    assert done == "DONE"
    assert refused in CLOSED


def test_paths_through_symlinks_are_found_by_both_names(user: User, place: Path) -> None:
    (place / "real" / "ws").mkdir(parents=True)
    (place / "real" / "ws" / "file").write_text("here", encoding="ascii")
    (place / "link").symlink_to("real")
    asked = place / "link" / "ws"
    read = [f"open('{asked}/file')", f"open('{place}/real/ws/file')", f"os.listdir('{asked}')"]
    assert attempts(user, *read, readable=[str(asked)]) == ["DONE", "DONE", "DONE"]
    assert attempts(user, *read[:2], readable=[str(asked), str(place)]) == ["DONE", "DONE"]


def test_homes_and_neighbours_are_closed(user: User, place: Path) -> None:
    (place / "secret").write_text("token", encoding="ascii")
    (place / "ws").mkdir()
    (place / "ws" / "way-out").symlink_to(place / "secret")
    own(user, place / "secret")
    code = f"""
import os
def names(path):
    try:
        return [name for name in os.listdir(path) if name != ".pyenv"]
    except OSError:
        return []
def text(path):
    try:
        return open(path).read()
    except OSError:
        return ""
print(names("/home") + names("/root") + names("/Users") + [n for n in names({str(place)!r}) if n != "ws"])
print([text(p) for p in ({str(place / "secret")!r}, {str(place / "ws" / "way-out")!r}, "/etc/shadow")])
"""
    outcome = user.python_run(code, readable=[str(place / "ws")])
    assert outcome.stdout.splitlines() == ["[]", "['', '', '']"], outcome.stderr


def test_what_is_hidden_in_a_project_cannot_be_read(user: User, place: Path) -> None:
    project = place / "project"
    (project / ".git" / "refs").mkdir(parents=True)
    (project / "package").mkdir()
    (project / ".git" / "config").write_text("token", encoding="ascii")
    for name in ("app.py", ".env", ".env.local", "package/.env", "package/module.py"):
        (project / name).write_text("token", encoding="ascii")
    (project / "alias").symlink_to(".env")
    own(user, *project.rglob("*"))
    code = f"""
import os
os.chdir({str(project)!r})
for name in (".git/config", ".env", ".env.local", "package/.env", "alias", "app.py", "package/module.py"):
    try:
        print(repr(open(name).read()))
    except OSError:
        print("''")
print("app.py" in os.listdir("."), os.listdir("package").count("module.py"), sorted(os.listdir(".git")))
try:
    open("new", "w")
except OSError:
    print("read-only")
"""
    hidden = [str(project / name) for name in (".git", ".env", ".env.local", "package/.env", ".env.absent")]
    outcome = user.python_run(code, readable=[str(project)], hidden=hidden)
    *seen, names, written = outcome.stdout.splitlines()
    assert seen == ["''"] * 5 + ["'token'"] * 2, outcome.stderr
    assert names == ("True 1 []" if user.can_except else "True 1 ['config', 'refs']")
    assert written == "read-only"


# --- other processes ----------------------------------------------------------------------------------------


def test_the_environment_is_exactly_what_was_given(user: User) -> None:
    env = {"A": "1", "LANG": "C.UTF-8", "URL": "http://127.0.0.1:{hub}/x", "UMLAUT": "ä\n"}
    outcome = user.run(argv=["/usr/bin/env", "-0"], env=env, services={"hub": 8002})
    got = dict(pair.split("=", 1) for pair in outcome.stdout.rstrip("\0").split("\0"))
    assert got["URL"].removeprefix("http://127.0.0.1:").removesuffix("/x").isdecimal()
    assert got | {"URL": ""} == env | {"URL": ""}


@linux
def test_no_descriptor_of_ours_is_inherited(user_of_any: User) -> None:
    code = "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))), os.readlink('/proc/self/fd/0'))"
    assert user_of_any.python_run(code, services={"hub": 8001}).stdout == "[0, 1, 2, 3] /dev/null\n"


@linux
def test_proc_shows_nothing_of_other_processes(user_of_any: User) -> None:
    code = f"""
import os
try:
    names = os.listdir("/proc")
except OSError:
    names = ["self", "1", *map(str, range(os.getppid() - 20, os.getpid() + 20)), "{os.getpid()}"]
for pid in names:
    for name in ("environ", "cmdline", "mem", "maps", "cwd/README.md", "root/etc/shadow"):
        try:
            print(open(f"/proc/{{pid}}/{{name}}", "rb").read())
        except OSError as error:
            print(error.strerror)
"""
    outcome = user_of_any.python_run(code, env={"SECRET_PREFIX": "given"})
    assert "hf_secret" not in outcome.stdout
    assert "HF_TOKEN" not in outcome.stdout
    assert "driver" not in outcome.stdout
    assert "given" in outcome.stdout


@linux
def test_no_mount_no_namespace_no_device_no_tracing(user_of_any: User) -> None:
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
print(libc.unshare(0x10000000), libc.unshare(0x00020000), libc.setns(0, 0))
child = libc.syscall({"x86_64": 56, "aarch64": 220}[os.uname().machine], 0x10000000 | 17, 0, 0, 0, 0)
if child == 0:
    os._exit(0)
print(child)
print(libc.mknod(b"disk", 0o60600, 0x700))
print(libc.ptrace(16, os.getppid(), 0, 0))
status = [line.split() for line in open("/proc/self/status")]
print([words[1] for words in status if words[0] in ("CapEff:", "CapPrm:", "NoNewPrivs:")])
"""
    said = user_of_any.python_run(code).stdout.splitlines()
    assert said[:5] == ["-1", "-1 -1 -1", "-1", "-1", "-1"]
    assert said[5] == "['0000000000000000', '0000000000000000', '1']"


@linux
def test_a_setuid_program_gives_nothing(user: User, place: Path) -> None:
    program = place / "id"
    program.write_bytes(Path("/usr/bin/id").read_bytes())
    program.chmod(0o4755)
    outcome = user.run(argv=[str(program), "-u"], readable=[str(place)])
    assert outcome.stdout.strip() == str(place.stat().st_uid), outcome.stderr


def test_no_memory_is_shared_with_the_user_s_processes(user: User) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    key = 0x6D6C7800 + os.getpid() % 256
    segment = libc.shmget(key, 4096, 0o1666)
    assert segment >= 0
    try:
        (found,) = attempts(user, f"call(libc.shmget({key}, 4096, 0o666))")
    finally:
        libc.shmctl(segment, 0, None)
    assert found in {"ENOENT", "EPERM"}


def test_the_users_other_processes_get_no_signal(user: User) -> None:
    with subprocess.Popen([*user.prefix, "sleep", "600"]) as bystander:
        attempts(user, f"os.kill({bystander.pid}, 9)", f"os.kill({bystander.pid}, 15)")
        alive = bystander.poll() is None
        bystander.kill()
    assert alive


_HOLDS = """
import fcntl, os, signal, sys, time
held = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(held, fcntl.LOCK_EX)
def say_ready():
    open(sys.argv[1] + ".ready", "w").close()
"""
"""Whoever has the descriptor holds the lock: it is free when the last descendant is gone."""
_ENDS = """
while not os.path.exists(sys.argv[1] + ".ready"):
    time.sleep(0.01)
time.sleep(float(sys.argv[2]))
"""
_STAYS = f"""{_HOLDS}
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        say_ready()
        time.sleep(240)
    os._exit(0)
{_ENDS}"""
_RUNS_AWAY = f"""{_HOLDS}
signal.signal(signal.SIGTERM, signal.SIG_IGN)
guardian = os.getppid()
for target, how in ((guardian, 9), (-guardian if guardian > 1 else guardian, 9), (0, 15)):
    try:
        os.kill(target, how)
    except OSError:
        pass
if os.fork() == 0:
    end = time.monotonic() + 240
    while time.monotonic() < end:
        os.setsid()
        if os.fork():
            os._exit(0)
        say_ready()
        if os.fork():
            os._exit(0)
{_ENDS}"""
"""It shoots at its guardian first, then flees from process to process. It must never shoot at everybody (-1):
were the filter broken, it would hit all that the user runs; `test_seccomp` has that case."""


@pytest.fixture
def held(somebody: User, place: Path) -> Path:
    """A file to lock."""
    path = place / "held"
    path.touch()
    own(somebody, path)
    return path


@pytest.mark.parametrize(
    ("how", "lasts", "timed_out"), [(_STAYS, "0", False), (_RUNS_AWAY, "240", True)], ids=["stays", "flees"]
)
def test_nothing_survives(
    user_of_any: User, place: Path, held: Path, how: str, lasts: str, timed_out: bool
) -> None:
    argv = [str(user_of_any.python), "-I", "-S", "-c", how, str(held), lasts]

    def run(timeout_s: float) -> Outcome:
        return user_of_any.run(argv=argv, writable=[str(place)], timeout_s=timeout_s)

    outcome = ended_in_time(place / "held.ready", run) if timed_out else run(100.0)
    assert (outcome.timed_out, outcome.exit_code) == (timed_out, 137 if timed_out else 0), outcome.stderr
    assert (place / "held.ready").exists()
    assert not somebody_holds(held)


def test_the_child_dies_when_we_are_killed(user_of_any: User, place: Path, held: Path) -> None:
    _dies_with_us(user_of_any, place, held, signal.SIGKILL)


def test_the_child_dies_when_we_are_interrupted(user: User, place: Path, held: Path) -> None:
    _dies_with_us(user, place, held, signal.SIGINT)


def _dies_with_us(user: User, place: Path, held: Path, how: signal.Signals) -> None:
    argv = [str(user.python), "-I", "-S", "-c", _STAYS, str(held), "240"]
    order = {"backend": user.backend, "argv": argv, "writable": [str(place)], "timeout_s": 240}
    driver = subprocess.Popen(
        user.command(), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=user.environment()
    )
    try:
        assert driver.stdin is not None
        driver.stdin.write(json.dumps(order).encode())
        driver.stdin.close()
        _until((place / "held.ready").exists)
        assert somebody_holds(held)
        driver.send_signal(how)
        driver.wait(60)
    finally:
        driver.kill()
        driver.wait()
    if how == signal.SIGINT:
        assert not somebody_holds(held)  # it had the time to see to it
    _until(lambda: not somebody_holds(held))


def _until(condition: Callable[[], bool], *, within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


# --- limits -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not enforce `RLIMIT_AS`")
def test_memory_is_limited(user: User) -> None:
    outcome = user.python_run("bytearray(600 << 20)", memory_bytes=400 << 20)
    assert outcome.exit_code == 1
    assert "MemoryError" in outcome.stderr


def test_output_is_kept_from_its_end(user: User) -> None:
    outcome = user.python_run("import sys; print('x' * 9_000_000 + 'end'); sys.exit('failed')")
    assert (outcome.exit_code, outcome.stderr) == (1, "failed\n")
    assert outcome.stdout.endswith("xend\n")
    assert len(outcome.stdout) == 64 * 1024


def test_a_signal_is_told_as_a_shell_tells_it(user: User) -> None:
    assert user.python_run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").exit_code == 139


# --- kernels that offer less --------------------------------------------------------------------------------


@linux
def test_shared_memory_is_the_jobs_own_also_where_its_files_are(user: User) -> None:
    name = f"/dev/shm/mlxk-{os.getpid()}"  # noqa: S108 - that is the point
    Path(name).touch()
    own(user, Path(name))
    write = [f"open({name!r}, 'w').write('x')", f"open({name + '-2'!r}, 'w')"]
    try:
        apart = attempts(user, *write)
        within = attempts(user, *write, writable=[name])
        left = Path(name).read_text(encoding="ascii"), Path(f"{name}-2").exists()
    finally:
        Path(name).unlink()
    expected = {"linux-landlock": {"EACCES"}}.get(user.backend, {"DONE"})
    assert set(apart) == expected
    assert within[0] == "DONE"
    assert left == ("x", False)


@linux
def test_an_old_landlock_still_keeps_files_whole_without_a_network(somebody: User, place: Path) -> None:
    user = replace(somebody, backend="linux-landlock@2")
    (place / "kept").write_text("as it was", encoding="ascii")
    own(user, place / "kept")
    kept = place / "kept"
    truncate = [
        f"os.truncate('{kept}', 0)",
        f"os.open('{kept}', os.O_RDONLY | os.O_TRUNC)",
        f"open('{kept}')",
    ]
    assert attempts(user, *truncate, readable=[str(place)]) == ["EPERM", "EPERM", "DONE"]
    assert attempts(user, "socket.create_connection(('127.0.0.1', 9))") == ["EAFNOSUPPORT"]
    assert kept.read_text(encoding="ascii") == "as it was"


@linux
def test_an_old_landlock_refuses_what_needs_a_network(somebody: User) -> None:
    user = replace(somebody, backend="linux-landlock@3")
    answer = user.answer(argv=["/bin/true"], services={"hub": 8001})
    assert "Linux 6.7" in answer["refused"][0]
