"""The ways around a file's name: which of them a filter on the path's text stops, and which one on the file itself."""

from dirty_equals import IsOneOf

from fixtures.language import CALL, in_32_bits
from tetraproof.suite import Acts, Kprobe, Run, command, limit, policy, prepare, program, shell

pytestmark = policy("language/ways-around-a-text", "language/ways-around-a-file")

FILE = "/tmp/lang-around"
#: What the one policy hooks, and the other.
HOOKED = IsOneOf("sys_openat", "security_file_open")
THERE = f"""{CALL}path = ctypes.create_string_buffer(b"/tmp/lang-around")
def show(file):
    print(os.read(file, 99).decode(), end="")
"""
#: open(2), which C libraries do not call any more.
OPEN = f"{THERE}show(call(2, path, 0))"
OPENAT2 = f"{THERE}show(call(437, -100, path, struct.pack('<3Q', 0, 0, 0), 24))"
#: openat as a program of 32 bits calls it.
OF_32_BITS = f"{THERE}{in_32_bits(295)}show(answer)\n"
#: openat by a ring: the kernel does it, and no system call of that name is made.
IO_URING = f"""{THERE}
import mmap
told = ctypes.create_string_buffer(120)
ring = call(425, 4, told)
sent, came = struct.unpack_from("<7I", told, 40), struct.unpack_from("<7I", told, 80)
both = mmap.mmap(ring, max(sent[6] + 16, came[5] + 128))
asked = mmap.mmap(ring, 256, offset=0x10000000)
struct.pack_into("<BBHiQQII", asked, 0, 18, 0, 0, -100, 0, ctypes.addressof(path), 0, 0)
struct.pack_into("<I", both, sent[1], 1)
call(426, ring, 1, 1, 1, None, 0)
(answer,) = struct.unpack_from("<i", both, came[5] + 8)
if answer < 0:
    raise OSError(-answer, "the ring")
show(answer)
"""
acts = Acts(
    clean=prepare(shell(f"rm -rf {FILE}*; echo guarded > {FILE}; echo x > {FILE}-x")),
    # a container's seccomp profile may refuse the calls of a ring; a privileged one has none
    there=prepare(shell(f"rm -f {FILE}; echo guarded > {FILE}", pod="privileged")),
    near=command("cat", f"{FILE}-x"),
    plain=command("cat", FILE),
    slashes=command("cat", "//tmp//lang-around"),
    dots=command("cat", "/tmp/../tmp/./lang-around"),
    relative=shell("cd /tmp; cat lang-around"),
    symlink=shell(f"ln -s {FILE} {FILE}-link; cat {FILE}-link"),
    proc_root=command("cat", f"/proc/self/root{FILE}"),
    by_open=program(OPEN),
    by_openat2=program(OPENAT2),
    of_32_bits=program(OF_32_BITS),
    by_io_uring=program(IO_URING, pod="privileged"),
    hard_link=shell(f"ln {FILE} {FILE}-hard; cat {FILE}-hard"),
    renamed=shell(f"mv {FILE} {FILE}-moved; cat {FILE}-moved"),
)


def test_opening_the_file_by_its_name_is_killed(run: Run) -> None:
    """Whoever opens the file by its plain path is killed, and that is reported."""
    assert run.plain.killed
    assert Kprobe(HOOKED, file=FILE, action="SIGKILL").by("/usr/bin/cat") in run.plain.timeline


def test_another_file_is_free(run: Run) -> None:
    """A file whose name only begins so is read."""
    assert run.near.printed("x\n")
    assert run.near.succeeded
    assert Kprobe() not in run.near.timeline


def test_every_kill_is_counted(run: Run) -> None:
    """The agent's own counter of enforcements agrees with what it reported."""
    assert run.counts(enforce=run.reported(Kprobe(action="SIGKILL")))


@limit("doubled slashes")
def test_doubled_slashes(run: Run) -> None:
    """The same path with more slashes in it is another text."""
    assert run.slashes.stopped


@limit("dots in the path")
def test_dots_in_the_path(run: Run) -> None:
    """The same path by way of . and .. is another text."""
    assert run.dots.stopped


@limit("relative path")
def test_a_relative_path(run: Run) -> None:
    """A path from the working directory is another text."""
    assert run.relative.stopped


@limit("symbolic link")
def test_a_symbolic_link(run: Run) -> None:
    """A link's own path is another text."""
    assert run.symlink.stopped


@limit("/proc/self/root")
def test_a_path_through_proc(run: Run) -> None:
    """The path by way of the process's own root is another text."""
    assert run.proc_root.stopped


@limit("open instead of openat")
def test_open_instead_of_openat(run: Run) -> None:
    """The older system call is another one."""
    assert run.by_open.stopped


@limit("openat2")
def test_openat2(run: Run) -> None:
    """The newer system call is another one."""
    assert run.by_openat2.stopped


@limit("32-bit call")
def test_a_call_of_32_bits(run: Run) -> None:
    """A program of 32 bits calls another function of the kernel."""
    assert run.of_32_bits.stopped


@limit("io_uring")
def test_a_ring(run: Run) -> None:
    """By io_uring the kernel itself opens the file, and no system call is made for it."""
    assert run.by_io_uring.stopped


@limit("hard link")
def test_a_hard_link(run: Run) -> None:
    """The file can be read by a hard link, which is another path."""
    assert run.hard_link.stopped


@limit("rename")
def test_a_rename(run: Run) -> None:
    """Once renamed, the file can be read by its new name."""
    assert run.renamed.stopped
