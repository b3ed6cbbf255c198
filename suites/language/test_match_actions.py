"""matchActions: what is done about opening a file, one case an action."""

from dirty_equals import HasLen

from fixtures.findings import LONG_RATE_LIMIT_LIMITS_NOTHING
from fixtures.language import Files
from tetraproof.suite import Act, Case, Exactly, Known, cases, shell

FILES = Files("do")
path, opened, event = FILES.path, FILES.opened, FILES.event


def several(name: str) -> Act:
    """Open the file three times in one thread, and once in another."""
    again = "; ".join(f"echo {number} > {path(name)}" for number in range(3))
    return shell(f"{again}; (echo x > {path(name)})")


pytestmark = cases(
    Case(
        "language/match-actions-post",
        "Post reports the act, and lets it be.",
        match=opened("post"),
        near=opened("post-x"),
        reported=Exactly(1, event("post")),
    ),
    Case(
        "language/match-actions-no-post",
        "NoPost keeps the act from being reported.",
        match=opened("no-post"),
        near=opened("no-post-x"),
        reported=None,
    ),
    Case(
        "language/match-actions-sigkill",
        "Sigkill ends the process.",
        match=opened("sigkill"),
        near=opened("sigkill-x"),
        reported=event("sigkill", "SIGKILL"),
        ends="killed",
    ),
    Case(
        "language/match-actions-signal",
        "Signal sends the signal that it names: the program meets SIGUSR1, and ends for it.",
        match=shell(f"trap 'exit 0' USR1; echo x > {path('signal')}; exit 3"),
        near=shell(f"trap 'exit 3' USR1; echo x > {path('signal-x')}; exit 0"),
        reported=event("signal", "SIGNAL"),
        ends="ended",
    ),
    Case(
        "language/match-actions-rate-limit",
        "With a rate limit of an hour a thread that does it again is not reported again, and another one is.",
        match=several("rate-limit"),
        near=opened("rate-limit-x"),
        reported=Exactly(2, event("rate-limit")),
        known=Known(LONG_RATE_LIMIT_LIMITS_NOTHING, lambda run: Exactly(4, event("rate-limit")) in run.match.timeline),
    ),
    Case(
        "language/match-actions-rate-limit-minute",
        "With a rate limit of a minute a thread that does it again is not reported again, and another one is.",
        match=several("rate-minute"),
        near=opened("rate-minute-x"),
        reported=Exactly(2, event("rate-minute")),
    ),
    Case(
        "language/match-actions-rate-limit-process",
        "A rate limit of scope process holds for each process.",
        match=shell(
            f"echo 1 > {path('rate-process')}; echo 2 > {path('rate-process')}; (echo x > {path('rate-process')})"
        ),
        near=opened("rate-process-x"),
        reported=Exactly(2, event("rate-process")),
    ),
    Case(
        "language/match-actions-rate-limit-global",
        "A rate limit of scope global holds for all processes together.",
        match=shell(
            f"echo 1 > {path('rate-global')}; (echo x > {path('rate-global')}); (echo x > {path('rate-global')})"
        ),
        near=opened("rate-global-x"),
        reported=Exactly(1, event("rate-global")),
    ),
    Case(
        "language/match-actions-kernel-stack-trace",
        "The kernel's functions on the way to the hook are reported.",
        match=opened("kernel-stack"),
        near=opened("kernel-stack-x"),
        reported=event("kernel-stack").having(kernel_stack_trace=HasLen(2, ...)),
    ),
    Case(
        "language/match-actions-user-stack-trace",
        "The program's functions on the way to the hook are reported.",
        match=shell(f"echo x > {path('user-stack')}; sleep 2"),
        near=opened("user-stack-x"),
        reported=event("user-stack").having(user_stack_trace=HasLen(1, ...)),
    ),
)
