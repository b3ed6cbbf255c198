"""Without any policy every process is told from exec to exit, and nothing else is."""

from dirty_equals import FunctionCheck

from tetraproof.suite import Acts, Exec, Exit, Kprobe, Run, command, settings, shell

pytestmark = settings("baseline")

acts = Acts(
    plain=command("true"),
    exit_3=shell("exit 3"),
    bar=shell("echo foo > /tmp/bar"),
    landing=command(
        "curl", "-s", "-XPOST", "deathstar.{galaxy.namespace}.svc.cluster.local/v1/request-landing", pod="tiefighter"
    ),
)
NOT_TOLD = FunctionCheck(lambda names: names is None)


def test_an_exit_code_is_told(run: Run) -> None:
    """A process's exit code is in its exit event."""
    assert run.exit_3.exited(3)
    assert run.exit_3.free
    assert Exit("/usr/bin/bash", status=3) in run.exit_3.timeline


def test_acts_succeed(run: Run) -> None:
    """With no policy nothing is stopped: files are written, services answer."""
    assert run.plain.succeeded
    assert run.bar.succeeded
    assert run.landing.printed("Ship landed\n")
    assert run.landing.succeeded


def test_nothing_but_processes_is_told(run: Run) -> None:
    """No policy, no kprobe event."""
    assert Kprobe() not in run.bar.timeline
    assert Kprobe() not in run.landing.timeline


def test_credentials_are_not_told(run: Run) -> None:
    """Without `enable-process-cred` an exec carries no capabilities."""
    run.needs_setting("enable-process-cred", "false")
    assert Exec("/usr/bin/true", capabilities=NOT_TOLD) in run.plain.timeline


def test_the_export_log_tells_the_same(run: Run) -> None:
    """The export-stdout log, filtered as the guide's `tetralogs` does it, holds just the stream's events."""
    assert run.export_tells_the_same("probe")
