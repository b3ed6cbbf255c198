"""With `enable-process-cred`, every exec carries credentials and capabilities."""

from dirty_equals import FunctionCheck

from tetraproof.suite import Acts, Exec, Exit, Run, command, settings

pytestmark = settings("process-cred", enable_process_cred="true")

acts = Acts(
    plain=command("true"),
    set_user_id=command("passwd", "--help"),
    elsewhere=command("curl", "--version", pod="tiefighter"),
    privileged=command("true", pod="privileged"),
)
ADMIN = FunctionCheck(lambda names: names is not None and "CAP_SYS_ADMIN" in names)
NO_ADMIN = FunctionCheck(lambda names: bool(names) and "CAP_SYS_ADMIN" not in names)


def test_an_ordinary_pod_is_no_administrator(run: Run) -> None:
    """An exec in an ordinary pod carries its capabilities, and CAP_SYS_ADMIN is not among them."""
    assert Exec("/usr/bin/true", capabilities=NO_ADMIN) in run.plain.timeline
    assert Exec("/usr/bin/curl", capabilities=NO_ADMIN) in run.elsewhere.timeline


def test_a_set_user_id_program_gains_nothing_here(run: Run) -> None:
    """passwd, started by root in an ordinary pod, has no more capabilities than its pod."""
    assert Exec("/usr/bin/passwd", capabilities=NO_ADMIN) in run.set_user_id.timeline


def test_a_privileged_pod_is_an_administrator(run: Run) -> None:
    """An exec in a privileged pod carries CAP_SYS_ADMIN, at its exit as well."""
    assert Exec("/usr/bin/true", capabilities=ADMIN) in run.privileged.timeline
    assert Exit("/usr/bin/true", capabilities=ADMIN) in run.privileged.timeline


def test_compact_marks_the_privileged_exec(run: Run) -> None:
    """`getevents -o compact` marks the privileged exec and its exit."""
    assert run.privileged.shown(
        "🚀 process {privileged.pod} /usr/bin/true … 🛑 CAP_SYS_ADMIN",
        "💥 exit    {privileged.pod} /usr/bin/true  0 … 🛑 CAP_SYS_ADMIN",
    )


def test_every_act_succeeds(run: Run) -> None:
    """Observing stops nobody."""
    assert run.plain.succeeded
    assert run.set_user_id.succeeded
    assert run.elsewhere.succeeded
    assert run.privileged.succeeded
