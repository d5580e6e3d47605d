"""The wall from inside: what an attack tries is refused by the kernel, or ends the process."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest
from walled import child, run

from mm_ckpt_migrate.releases.child import ChildGone, ChildStopped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the wall is Linux's")

x86 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")

# Straight to the kernel, so that no audit hook of Python has a say.
ENDED = {
    "system": "libc.system(b'touch ' + here + b'/harm')",
    "popen": "libc.popen(b'touch ' + here + b'/harm', b'r')",
    "posix_spawn": "libc.posix_spawn(0, b'/bin/true', 0, 0, (ctypes.c_char_p * 1)(), None)",
    "execve": "libc.execve(b'/bin/true', None, None)",
    "fexecve": "libc.fexecve(os.open('/bin/true', os.O_RDONLY), (ctypes.c_char_p * 1)(), "
    "(ctypes.c_char_p * 1)())",
    "fork_exec": "_posixsubprocess.fork_exec([b'/bin/true'], (b'/bin/true',), True, (), None, "
    "None, -1, -1, -1, -1, -1, -1, *os.pipe(), False, False, -1, None, None, None, -1, None, "
    "False)",
    "fork": "libc.fork()",
    "connect": "libc.connect(0, here, 16)",
    "internet": "libc.socket(2, 1, 0)",
    "internet6": "libc.socket(10, 2, 0)",
    "netlink": "libc.socket(16, 3, 0)",
    "packets": "libc.socket(17, 3, 0)",
    "socketpair": "libc.socketpair(1, 1, 0, ctypes.byref((ctypes.c_int * 2)()))",
    "sendto": "libc.sendto(1, b'x', 1, 0, None, 0)",
    "recvmsg of another": "libc.recvmsg(1, None, 0)",
    "send over the channel": "libc.sendmsg(options['files'], None, 0)",
    "kill the parent": "libc.kill(parent, 9)",
    "kill all": "libc.kill(-1, 9)",
    "kill the parent's thread": "libc.tgkill(parent, parent, 9)",
    "queue a signal": "libc.sigqueue(parent, 9, 0)",
    "ptrace": "libc.ptrace(16, parent, 0, 0)",
    "read another's memory": "libc.process_vm_readv(parent, None, 0, None, 0, 0)",
    "write another's memory": "libc.process_vm_writev(parent, None, 0, None, 0, 0)",
    "pidfd_open": "libc.syscall(434, parent, 0)",
    "pidfd_send_signal": "libc.syscall(424, 0, 9, None, 0)",
    "pidfd_getfd": "libc.syscall(438, 0, 0, 0)",
    "io_uring": "libc.syscall(425, 8, None)",
    "process_madvise": "libc.syscall(440, 0, None, 0, 0, 0)",
    "unshare": "libc.unshare(0x10000000)",
    "setns": "libc.setns(0, 0)",
    "mount": "libc.mount(b'none', here, b'tmpfs', 0, None)",
    "chroot": "libc.chroot(here)",
    "setuid": "libc.setuid(1)",
    "a thread of before": "(go.set(), time.sleep(20))",
}
BEFORE = "go = threading.Event(); threading.Thread(target=lambda: go.wait() and libc.fork()).start()"

ENDED_X86 = {
    "vfork": "libc.syscall(58)",
    "clone": "libc.syscall(56, 17, 0, 0, 0, 0)",
    "clone into namespaces": "libc.syscall(56, 0x10000 | 0x20000, 0, 0, 0, 0)",
    "execveat": "libc.syscall(322, -100, b'/bin/true', None, None, 0)",
    "tkill": "libc.syscall(200, parent, 9)",
    "bpf": "libc.syscall(321, 0, None, 0)",
    "perf_event_open": "libc.syscall(298, None, 0, -1, -1, 0)",
    "userfaultfd": "libc.syscall(323, 0)",
    "seccomp": "libc.syscall(317, 2, 0, None)",
    "keyctl": "libc.syscall(250, 0, 0)",
    "init_module": "libc.syscall(175, None, 0, b'')",
    "open_by_handle_at": "libc.syscall(304, -100, None, 0)",
    "x32": "libc.syscall(0x40000000 | 59, b'/bin/true', None, None)",
    "x32, harmless": "libc.syscall(0x40000000 | 39)",
    # mov eax, 20 (getpid); int 0x80; ret: i386's numbers
    "int 0x80": "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()",
}
I386 = (
    "code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC); "
    "code.write(bytes.fromhex('b814000000cd80c3'))"
)

FILES = {
    "write": "libc.open(here + b'/old', os.O_WRONLY)",
    "read and write": "libc.open(here + b'/old', os.O_RDWR)",
    "append": "libc.open(here + b'/old', os.O_WRONLY | os.O_APPEND)",
    "create": "libc.open(here + b'/harm', os.O_RDONLY | os.O_CREAT, 0o600)",
    "truncate on opening": "libc.open(here + b'/old', os.O_RDONLY | os.O_TRUNC)",
    "a nameless file": "libc.open(here, os.O_TMPFILE | os.O_RDWR, 0o600)",
    "openat": "libc.openat(-100, here + b'/old', os.O_WRONLY)",
    "creat": "libc.creat(here + b'/harm', 0o600)",
    "fopen": "libc.fopen(here + b'/old', b'w') or -1",
    "our own memory": "libc.open(b'/proc/self/mem', os.O_RDWR)",
    "the parent's memory": "libc.open(b'/proc/%d/mem' % parent, os.O_RDWR)",
    "its descriptors": "libc.open(b'/proc/%d/fd/1' % parent, os.O_WRONLY)",
    "a thing that was open for reading": "libc.open(b'/proc/self/fd/%d' % old, os.O_RDWR)",
    "unlink": "libc.unlink(here + b'/old')",
    "rename": "libc.rename(here + b'/old', here + b'/harm')",
    "link": "libc.link(here + b'/old', here + b'/harm')",
    "symlink": "libc.symlink(b'/', here + b'/harm')",
    "mkdir": "libc.mkdir(here + b'/harm', 0o700)",
    "rmdir": "libc.rmdir(here)",
    "mkfifo": "libc.mkfifo(here + b'/harm', 0o600)",
    "chmod": "libc.chmod(here + b'/old', 0)",
    "fchmod": "libc.fchmod(old, 0)",
    "chown": "libc.chown(here + b'/old', 1, 1)",
    "fchown": "libc.fchown(old, 1, 1)",
    "truncate": "libc.truncate(here + b'/old', 0)",
    "ftruncate": "libc.ftruncate(old, 0)",
    "touch": "libc.futimens(old, None)",
    "setxattr": "libc.setxattr(here + b'/old', b'user.x', b'y', 1, 0)",
}
OLD = "old = os.open(here + b'/old', os.O_RDONLY)"

OTHERS = {
    "openat2": ("libc.syscall(437, -100, here + b'/harm', None, 24)", errno.ENOSYS),
    "clone3": ("libc.syscall(435, None, 0)", errno.ENOSYS),
    "memfd": ("libc.memfd_create(b'x', 0)", errno.ENOSYS),
    "shared memory": ("libc.shmget(0, 4096, 0o1777)", errno.ENOSYS),
    "a message queue": ("libc.mq_open(b'/x', 0o102, 0o600, None)", errno.ENOSYS),
    "priority of another": ("libc.setpriority(0, parent, 19)", errno.ENOSYS),
    "a call of the future": ("libc.syscall(999)", errno.ENOSYS),
    "local socket": ("libc.socket(1, 1, 0)", errno.EACCES),
    "outlive the parent": ("libc.prctl(1, 0, 0, 0, 0)", errno.EPERM),
    "be traced": ("libc.prctl(0x59616D61, -1, 0, 0, 0)", errno.EPERM),
    "signals by a file": ("libc.fcntl(0, 8, parent)", errno.EPERM),
    "which signal": ("libc.fcntl(0, 10, 9)", errno.EPERM),
    "type into the terminal": ("libc.ioctl(0, 0x5412, b'x')", errno.ENOTTY),
    "file flags": ("libc.ioctl(0, 0x40086602, b'x' * 8)", errno.ENOTTY),
    "limits of another": ("libc.prlimit(parent, 9, None, None)", errno.EPERM),
    "more memory": ("libc.prlimit(0, 9, b'\\xff' * 16, None)", errno.EPERM),
    "more memory, by glibc": ("libc.setrlimit(9, b'\\xff' * 16)", errno.EPERM),
    "more memory, as of old": ("libc.syscall(160, 9, b'\\xff' * 16)", errno.EPERM),
    "processors of another": ("libc.sched_setaffinity(parent, 8, b'x' * 8)", errno.EPERM),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "old").write_text("as it was")
    return tmp_path


@pytest.fixture(autouse=True)
def harmless(folder: Path) -> object:
    """After each test everything is as it was."""
    before = facts(folder / "old")
    yield
    assert os.listdir(folder) == ["old"]
    assert (folder / "old").read_text() == "as it was"
    assert facts(folder / "old") == before


def facts(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_mode, found.st_uid, found.st_gid, found.st_nlink, found.st_mtime_ns


@pytest.mark.parametrize("name", ENDED)
def test_it_ends(name: str, folder: Path) -> None:
    with pytest.raises(ChildStopped):
        run(ENDED[name], folder, BEFORE if "before" in name else "")


@x86
@pytest.mark.parametrize("name", ENDED_X86)
def test_it_ends_by_number(name: str, folder: Path) -> None:
    with pytest.raises(ChildStopped):
        run(ENDED_X86[name], folder, I386 if name == "int 0x80" else "")


@pytest.mark.parametrize("name", FILES)
def test_files_stay_as_they_are(name: str, folder: Path) -> None:
    answer = run(FILES[name], folder, OLD)
    assert (answer["result"], answer["errno"]) == (-1, errno.EACCES)


@pytest.mark.parametrize("name", OTHERS)
def test_it_is_refused(name: str, folder: Path) -> None:
    line, number = OTHERS[name]
    answer = run(line, folder)
    assert (answer["result"], answer["errno"]) == (-1, number)


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("open('/proc/self/status').read(5)", "Name:"),
        ("[t := threading.Thread(target=lambda: None), t.start(), t.join()][1:]", [None, None]),
        ("libc.mprotect(ctypes.c_void_p(0), 0, 7)", 0),
        ("mmap.mmap(-1, 4096, prot=7)[:2].hex()", "0000"),
        ("ctypes.CDLL('libm.so.6').abs(-3)", 3),
        ("os.isatty(0)", False),
        ("(r := __import__('resource')).setrlimit(7, r.getrlimit(7))", None),
        ("os.sched_getaffinity(0) != set()", True),
        ("len(os.urandom(4))", 4),
        ("time.sleep(0)", None),
        ("os.listdir(here)[0].decode()", "old"),
    ],
)
def test_computing_and_reading_go_on(line: str, result: object, folder: Path) -> None:
    assert run(line, folder)["result"] == result


def test_an_assertion_of_native_code_is_told_from_an_attack(folder: Path) -> None:
    with pytest.raises(ChildGone, match="SIGABRT") as caught:
        run("libc.abort()", folder)
    assert not isinstance(caught.value, ChildStopped)


@pytest.mark.parametrize(("line", "said"), [("1 / 0", "division"), ("sys.exit('enough')", "enough")])
def test_an_error_that_nobody_minds_is_told_from_an_attack(line: str, said: str, folder: Path) -> None:
    with pytest.raises(ChildGone, match=f"status 1: .*{said}") as caught:
        run(line, folder)
    assert not isinstance(caught.value, ChildStopped)


def test_python_itself_is_told_why(folder: Path) -> None:
    """A library's own attempt is an exception, which it may survive, before it is the end."""
    tried = "import subprocess\ndef tried():\n try: subprocess.run(['true'])\n except OSError as e:"
    answer = run("tried()", folder, f"{tried} return str(e)")
    assert answer["result"] == "not while a target model is built: subprocess.Popen"


def test_what_an_import_left_open_for_writing_is_closed(folder: Path) -> None:
    early = f"{OLD}; left = os.open(here + b'/old', os.O_RDWR); pair = socket.socketpair()"
    for line in ("libc.write(left, b'x', 1)", "libc.write(pair[0].fileno(), b'x', 1)"):
        answer = run(line, folder, early)
        assert (answer["result"], answer["errno"]) == (-1, errno.EBADF)
    assert run("libc.read(old, ctypes.create_string_buffer(9), 9)", folder, early)["result"] == 9


def test_a_file_that_comes_along_can_be_written(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From the first request on, which is the one that the wall is built for."""
    out = tmp_path_factory.mktemp("out") / "file"
    with child(folder) as walled, out.open("wb") as file:
        for text in ("one", "two"):
            line = f"os.write(request['descriptor'], b'{text}')"
            walled.send({"line": line, "early": ""}, file.fileno())
            assert walled.receive(30)["result"] == 3
    assert out.read_text() == "onetwo"


def test_the_wall_says_what_it_is_and_what_it_cost(folder: Path) -> None:
    wall = run("0", folder)["wall"]
    assert wall["kind"] in ("seccomp", "seccomp+landlock")
    assert wall["reason"] == ""
    assert wall["milliseconds"] > 0


def test_the_size_of_files_is_bounded_for_good(tmp_path: Path) -> None:
    answer = run("__import__('resource').getrlimit(1)", tmp_path)
    assert answer["result"] == [1 << 20, 1 << 20]


def test_an_answer_that_is_nested_too_deeply_is_none(tmp_path: Path) -> None:
    with pytest.raises(ChildGone, match="is not understood"):
        run("os.write(service._answers, b'[' * 50_000 + b'\\n')", tmp_path)
