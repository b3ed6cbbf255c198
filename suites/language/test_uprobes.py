"""Uprobes and USDTs: hooks in programs and libraries."""

from fixtures.findings import SYMBOLS_ARE_TOLD_AS_THE_LAST
from fixtures.language import Files, small_program, umask
from tetraproof.suite import Act, Case, Exactly, InOrder, Known, Uprobe, Usdt, cases, command, shell

path = Files("uprobe").path
TIMES, LIMIT = shell("times"), shell("ulimit -c")


def passing(name: str) -> tuple[Act, Act]:
    """The small program, which passes the hooked place with an argument and passes it by without."""
    return command(path(name), "x"), command(path(name))


def python(source: str) -> Act:
    """Have Python do this."""
    return command("python3", "-c", source)


#: Known of several symbols: each is seen, and told as the last of them.
TOLD_AS_THE_LAST = Known(
    SYMBOLS_ARE_TOLD_AS_THE_LAST,
    lambda run: (
        Exactly(2, Uprobe(symbol="ulimit_builtin")) in run.match.timeline
        and Uprobe(symbol="times_builtin") not in run.match.timeline
    ),
)

pytestmark = cases(
    Case(
        "language/uprobes-symbol",
        "A function of a program is hooked, by its symbol.",
        TIMES,
        LIMIT,
        Exactly(1, Uprobe(symbol="times_builtin", action="POST").by("/usr/bin/bash")),
    ),
    Case(
        "language/uprobes-several-symbols",
        "Several functions of a program are hooked, each by its symbol.",
        shell("times; ulimit -c"),
        umask(179),
        InOrder(Uprobe(symbol="times_builtin"), Uprobe(symbol="ulimit_builtin")),
        known=TOLD_AS_THE_LAST,
    ),
    Case(
        "language/uprobes-offset",
        "An instruction is hooked, by its place in the file.",
        *passing("offset"),
        Exactly(1, Uprobe(offset=0xB7).by(path("offset"))),
        before=(small_program(path("offset")),),
    ),
    Case(
        "language/uprobes-address",
        "An instruction is hooked, by its address in the program.",
        *passing("address"),
        Exactly(1, Uprobe().by(path("address"))),
        before=(small_program(path("address")),),
    ),
    Case(
        "language/uprobes-reference-counter",
        "The probe's reference counter is counted up in the program, and the event says where it is.",
        *passing("counter"),
        Exactly(1, Uprobe(ref_ctr_offset=0xC0).by(path("counter"))),
        before=(small_program(path("counter")),),
    ),
    Case(
        "language/uprobes-argument",
        "An argument of a library's function is read, and filtered.",
        umask(180),
        umask(182),
        Exactly(1, Uprobe(symbol="umask", arg0=180)),
    ),
    Case(
        "language/uprobes-argument-text",
        "A text in the program's memory is read, and filtered.",
        shell("cd /usr/lib"),
        shell("cd /usr/lib/x86_64-linux-gnu"),
        Exactly(1, Uprobe(symbol="chdir", arg0="/usr/lib")),
    ),
    Case(
        "language/uprobes-data",
        "Calls are filtered by what a register holds.",
        umask(184),
        umask(185),
        Exactly(1, Uprobe(symbol="umask")),
    ),
    Case(
        "language/uprobes-selectors",
        "A library's function is seen in the programs that are selected, and in no other.",
        shell(f"rm -f {path('fifo')}; mkfifo -m 600 {path('fifo')}"),
        shell(f"rm -rf {path('folder')}; mkdir -m 700 {path('folder')}"),
        Uprobe(symbol="umask").by("/usr/bin/mkfifo"),
    ),
    Case(
        "language/uprobes-return",
        "What the function returns is reported with it: umask answers with the mask before.",
        shell("umask 0022; umask 0265"),
        umask(183),
        Exactly(1, Uprobe(symbol="umask", arg0=181, arg1=18)),
    ),
    Case(
        "language/uprobes-message",
        "The event has the hook's message.",
        TIMES,
        LIMIT,
        Uprobe(symbol="times_builtin", message="the times were asked for"),
    ),
    Case(
        "language/uprobes-tags",
        "The event has the hook's tags.",
        TIMES,
        LIMIT,
        Uprobe(symbol="times_builtin", tags=["lang.tag"]),
    ),
    Case(
        "language/uprobes-sigkill",
        "A program that calls the function is killed.",
        TIMES,
        shell("ulimit -S -c 0; ulimit -c"),
        Uprobe(symbol="times_builtin", action="SIGKILL"),
        ends="killed",
        near_prints="0\n",
    ),
    Case(
        "language/uprobes-override-registers",
        "A register is set when the instruction is passed: the program ends with what it was set to.",
        shell(f"{path('registers')} x; test $? = 42"),
        shell(f"{path('registers')}; test $? = 0"),
        Uprobe(offset=0xB7, action="OVERRIDE"),
        before=(small_program(path("registers")),),
        ends="ended",
    ),
    Case(
        "language/usdts-probe",
        "A static probe of a program is hooked, by its provider and name.",
        python("import this"),
        command("perl", "-e", "print 1"),
        Usdt(provider="python", name="import__find__load__start", message="a module is looked for", tags=["lang.tag"]),
    ),
    Case(
        "language/usdts-argument",
        "An argument of a static probe is read, and filtered: the generation that Python collects.",
        python("import gc; gc.collect(1)"),
        python("import gc; gc.collect(0)"),
        Exactly(1, Usdt(provider="python", name="gc__start", arg0=1)),
    ),
    Case(
        "language/usdts-set",
        "An argument of a static probe is set in the program's memory.",
        python("import gc; gc.collect(1)"),
        python("import gc; gc.collect(0)"),
        Usdt(name="gc__start", arg0=1, action="SET"),
        ends="ended",
    ),
)
