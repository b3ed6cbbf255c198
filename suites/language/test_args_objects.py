"""Arguments that are objects of the kernel's: vectors, BPF, perf, files, devices, capabilities, sockets."""

from dirty_equals import HasAttributes, IsStr

from fixtures.findings import KIOCB_IS_NOT_MATCHED, NET_DEVICE_IS_READ_AT_A_FIXED_PLACE
from fixtures.language import CALL, HERE, Files
from tetraproof.suite import Act, Case, Exactly, InOrder, Known, Kprobe, cases, program, shell

FILES = Files("object")
path, opened = FILES.path, FILES.opened

#: bpf(2), and a map of one number, and a program that answers with 0; both have a name.
BPF = f"""{CALL}def bpf(command, attr):
    return call(321, command, attr, len(attr))
"""
MAP = f"{BPF}bpf(0, struct.pack('<4I3I16s', 2, 4, 8, 3, 0, 0, 0, b'lang_map'))"
PROGRAM = f"""{BPF}
code = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0), 16)
license = ctypes.create_string_buffer(b"GPL")
at = ctypes.addressof
bpf(5, struct.pack("<IIQQIIQII16s", 1, 2, at(code), at(license), 0, 0, 0, 0, 0, b"lang_prog"))
"""
#: A count of this process's page faults; a flag that does not exist is refused before there is one.
PERF = f"""{CALL}
def perf(flags):
    call(298, struct.pack("<IIQ", 1, 112, 2) + bytes(96), 0, -1, -1, flags)
"""
A_CLOCK = f"{PERF}perf(0)"
NONE = f"{PERF}try:\n    perf(1 << 20)\nexcept OSError:\n    pass"
#: Give CAP_CHOWN up, or also take it again.
CAPSET = """
head = struct.pack("<Ii", 0x20080522, 0)
sets = ctypes.create_string_buffer(24)
call(125, head, sets)
low = list(struct.unpack("<6I", sets.raw))
def effective(mask):
    call(126, head, struct.pack("<6I", mask, *low[1:]))
"""
DROP = f"{CALL}{CAPSET}effective(low[0] & ~1)"
TAKE = f"{DROP}\neffective(low[0])"
ASK = f"{CALL}call(39)"
MTU = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8922, struct.pack('16si12x', b'lo', {}))"


def mighty(text: str) -> Act:
    """Have Python do this where everything is allowed."""
    return program(text, pod="privileged")


#: Connect to where it listens itself, and close that connection.
HEARD = """
import socket
here = socket.create_server(("127.0.0.1", {}))
socket.create_connection(here.getsockname()).close()
"""

#: Known of the device: the call is reported, and another name than the device's.
READ_ELSEWHERE = Known(
    NET_DEVICE_IS_READ_AT_A_FIXED_PLACE,
    lambda run: (
        Kprobe("dev_set_mtu", arg1=65001) in run.match.timeline
        and Kprobe("dev_set_mtu", arg0="lo") not in run.match.timeline
    ),
)
#: Known of the filter: the agent refuses the policy, or takes it and reports every write.
NOT_MATCHED = Known(
    KIOCB_IS_NOT_MATCHED,
    lambda run: (
        run.refused_with("MatchArgs type kiocb unsupported") or Kprobe("generic_write_checks") in run.near.timeline
    ),
)

pytestmark = cases(
    Case(
        "language/args-char-iovec",
        "The buffers of a vector are put together and reported.",
        program("import os; os.writev(1, [b'lang-', b'vector-', b'one'])"),
        program("import os; os.writev(1, [b'lang-', b'vector'])"),
        Exactly(1, Kprobe("sys_writev", arg1=b"lang-vector-one", arg2=3)),
    ),
    Case(
        "language/args-bpf-cmd",
        "A command of bpf(2) is reported by its name.",
        mighty(MAP),
        mighty(ASK),
        Exactly(1, Kprobe("security_bpf", bpf_cmd_arg="BPF_MAP_CREATE")),
    ),
    Case(
        "language/args-bpf-attr",
        "The attributes of a program that is loaded are reported: its type, its length, its name.",
        mighty(PROGRAM),
        mighty(MAP),
        Kprobe("security_bpf", bpf_attr_arg=HasAttributes(InsnCnt=2, ProgName="lang_prog")),
    ),
    Case(
        "language/args-bpf-map",
        "A map is reported with its sizes and its name.",
        mighty(MAP),
        mighty(ASK),
        Kprobe("security_bpf_map", bpf_map_arg=HasAttributes(KeySize=4, ValueSize=8, MaxEntries=3, MapName="lang_map")),
    ),
    Case(
        "language/args-bpf-prog",
        "A program is reported with its length and its name.",
        mighty(PROGRAM),
        mighty(MAP),
        Kprobe("security_bpf_prog", bpf_prog_arg=HasAttributes(InsnCnt=2, ProgName="lang_prog")),
    ),
    Case(
        "language/args-perf-event",
        "An event of perf is reported by its type.",
        mighty(A_CLOCK),
        mighty(NONE),
        Exactly(1, Kprobe("security_perf_event_alloc", perf_event_arg=HasAttributes(Type="PERF_TYPE_SOFTWARE"))),
    ),
    Case(
        "language/args-kiocb",
        "A write is reported with the file that is written.",
        shell(f"echo x | tee {path('written')}"),
        shell(f"echo x | dd status=none of={path('written')}"),
        Kprobe("generic_write_checks", arg0=path("written")),
    ),
    Case(
        "language/match-args-kiocb-equal",
        "Writes are filtered by the file that is written.",
        opened("filtered"),
        opened("filtered-x"),
        Kprobe("generic_write_checks", arg0=path("filtered")),
        known=NOT_MATCHED,
    ),
    Case(
        "language/args-iov-iter",
        "What is written is reported with it.",
        shell(f"echo x | tee {path('taken')}"),
        shell(f"echo x | dd status=none of={path('taken')}"),
        Kprobe("generic_write_checks", arg0=path("taken"), arg1=b"x\n"),
    ),
    Case(
        "language/args-kernel-cap-t",
        "A set of capabilities is reported, as a number in hexadecimal: all but the first, which is given up.",
        mighty(DROP),
        mighty(ASK),
        Exactly(1, Kprobe("security_capset", kernel_cap_t_arg=IsStr(regex="[0-9a-f]{15}e"))),
    ),
    Case(
        "language/match-args-capabilities-gained",
        "Who gains a capability matches, and who gives one up does not.",
        mighty(TAKE),
        mighty(DROP),
        Exactly(1, Kprobe("security_capset", arg0=IsStr(regex="[0-9a-f]{15}e"), arg1=IsStr(regex="[0-9a-f]{15}f"))),
    ),
    Case(
        "language/args-net-device",
        "A network device is reported by its name.",
        mighty(MTU.format(65001)),
        mighty(MTU.format(65002)),
        Exactly(1, Kprobe("dev_set_mtu", arg0="lo", arg1=65001)),
        known=READ_ELSEWHERE,
    ),
    Case(
        "language/match-actions-untrack-sock",
        "A socket that is tracked is so no more: UntrackSock is reported, with the socket.",
        program(HEARD.format(7305)),
        program(HEARD.format(7306)),
        InOrder(
            Kprobe("tcp_connect", saddr=HERE, daddr=HERE, dport=7305, action="TRACKSOCK"),
            Kprobe("tcp_close", saddr=HERE, daddr=HERE, dport=7305, action="UNTRACKSOCK"),
        ),
    ),
)
