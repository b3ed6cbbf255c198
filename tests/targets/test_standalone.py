"""The standalone target: what it starts it ends, whatever happens, and what it cannot know it does not tell."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.builders import POLICY, ROOT
from tests.guests.test_agent import BUNDLE, LISTENING, RUNS
from tests.guests.test_container import IDS
from tests.guests.test_container import machine as with_podman
from tests.hosts import Going, Machine
from tetraproof.errors import AgentError
from tetraproof.guests.container import ContainerError
from tetraproof.guests.kernel import Kernel
from tetraproof.guests.plan import Plan
from tetraproof.guests.rootfs import Rootfs
from tetraproof.guests.workload import load
from tetraproof.machines.machine import Completed, MachineLost
from tetraproof.observing.act import command
from tetraproof.pacing.deadline import Deadlines
from tetraproof.policies.policy import Policy, parse
from tetraproof.targets import Unanswerable, standalone
from tetraproof.targets.replay import Replay
from tetraproof.targets.standalone import Standalone, open_standalone
from tetraproof.verdict import Verdict

MANIFESTS = load(ROOT / "manifests/workloads")
ROOTS = {one.name: Rootfs(Path("/roots") / one.name, "a test") for one in MANIFESTS.workloads}
KERNEL = Kernel("6.12.0-made", Path("/no/vmlinuz"), "CONFIG_BPF=y\nCONFIG_SOUND=y\n")
DEADLINES = Deadlines().scaled(0.01)
GUARD = parse(POLICY, "guard")
HERE = Path("/proc/self/ns/ipc").stat().st_ino


def silent(line: str, /) -> None:
    del line


def config(**settings: object) -> str:
    return f"{json.dumps({'msg': 'config settings', 'config': settings})}\n{LISTENING}"


def event(container: str, name: str = "exec", policy: str = "") -> bytes:
    process = {"exec_id": "a", "pid": 1, "binary": "/usr/bin/true", "docker": container}
    kind = "process_kprobe" if policy else "process_exec"
    body = {"process": process, **({"policy_name": policy, "function_name": name} if policy else {})}
    return json.dumps({kind: body, "node_name": "made", "time": "2026-11-25T00:00:00Z"}).encode() + b"\n"


class Machines:
    """The machines that are booted, one after another; `settings` are what each agent says of itself."""

    def __init__(self) -> None:
        self.booted: list[Machine] = []
        self.answers: dict[str, object] = {
            "status": RUNS,
            " version --server": "Server version: v1.7.0\n",
            "s probe": "",
            "nproc": "1",
        }

    def boot(self, *ignored: object) -> Machine:
        del ignored
        made = with_podman()
        made.answers |= self.answers  # type: ignore[arg-type]
        made.begins = self.begin
        self.booted.append(made)
        return made

    def begin(self, going: Going) -> None:
        if going.argv[0] == str(BUNDLE.agent):
            given = dict(word.removeprefix("--").split("=", 1) for word in going.argv[1:])
            going.output.write_text(config(**given), encoding="utf-8")

    @property
    def last(self) -> Machine:
        return self.booted[-1]

    def agents(self) -> list[Going]:
        return [one for made in self.booted for one in made.going if one.argv[0] == str(BUNDLE.agent)]

    def streams(self) -> list[Going]:
        return [one for made in self.booted for one in made.going if "getevents" in one.argv]


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> Machines:
    made = Machines()
    monkeypatch.setattr("tetraproof.guests.guest.boot", made.boot)
    monkeypatch.setattr(standalone, "ThisMachine", made.boot)
    return made


def plan(tmp_path: Path, **changed: object) -> Plan:
    fields: dict[str, object] = {
        "run_id": "run",
        "folder": tmp_path / "live",
        "manifests": MANIFESTS,
        "roots": ROOTS,
        "deadlines": DEADLINES,
        "tell": silent,
        "kernel": KERNEL,
        "bundle": BUNDLE,
        "tetra": "no-tetra",
    }
    return Plan(**{**fields, **changed})  # type: ignore[arg-type]


def opened(tmp_path: Path, **changed: object) -> Standalone:
    site = Standalone(plan(tmp_path, **changed))
    site.open()
    return site


def test_what_is_opened_is_a_machine_with_pods_an_agent_and_a_stream(machines: Machines, tmp_path: Path) -> None:
    """And the cell is what the agent and the machine say."""
    live, site = open_standalone(plan(tmp_path, settings={"rb-size": "1M"}))
    assert live.cell.title
    assert (live.cell.kernel, live.cell.tetragon, live.cell.kubernetes) == ("6.12.0-made", "1.7.0", "")
    assert (live.cell.label, live.cell.differs) == ("rb-size=1M", {"rb-size": "1M"})
    assert live.recorder.index.nodes[0].runtime == "podman 4.3.1, crun"
    recorded = live.recorder.only("nothing")
    assert recorded.text("environment/kernel.config") == "CONFIG_BPF=y\n"
    assert recorded.text("environment/tetra-status.txt") == RUNS
    assert site.bindings("made").pod("probe").container == IDS["probe"]
    assert [len(machines.agents()), len(machines.streams())] == [1, 1]
    site.close()


def test_without_an_installation_none_can_be_changed(machines: Machines, tmp_path: Path) -> None:
    """Which the recording says as well."""
    live, site = open_standalone(plan(tmp_path))
    told = []
    for target in (lambda: live, lambda: Replay(live.recorder.only("upgrade"))):
        with pytest.raises(Unanswerable) as why:
            target().observe_change("upgrade", GUARD, "upgrade")
        told.append((why.value.verdict, str(why.value)))
    assert told == [(Verdict.UNSUPPORTED, "the target standalone has no installation to change")] * 2
    site.close()


def test_two_runs_alike_are_one_cell(machines: Machines, tmp_path: Path) -> None:
    """What differs from run to run (folders, sockets) is no part of it; what the agent does is."""
    digests = []
    for number, settings in enumerate(({}, {}, {"rb-size": "1M"})):
        live, site = open_standalone(
            plan(tmp_path / str(number), run_id=f"run-{number}", folder=tmp_path / str(number), settings=settings)
        )
        digests.append(live.cell.digest)
        site.close()
    assert digests[0] == digests[1] != digests[2]


def test_closing_ends_all_of_it(machines: Machines, tmp_path: Path) -> None:
    """Stream, agent, guest; once."""
    site = opened(tmp_path)
    site.close()
    site.close()
    assert machines.agents()[0].stopped == machines.streams()[0].stopped == 1
    assert machines.last.closed == 1


def test_on_this_machine_itself_the_containers_are_removed(machines: Machines, tmp_path: Path) -> None:
    """There is no guest to switch off."""
    site = opened(tmp_path, kernel=None)
    site.close()
    assert machines.last.lines("rm --all --force")
    assert machines.last.lines("network rm")


@pytest.mark.parametrize(
    ("word", "failure", "error"),
    [
        ("network create", Completed(125, b"", b"no netavark"), ContainerError),
        ("status", "status error: not ready", AgentError),
        ("status", lambda argv, stdin: (_ for _ in ()).throw(KeyboardInterrupt), KeyboardInterrupt),
        ("run --detach", lambda argv, stdin: (_ for _ in ()).throw(KeyboardInterrupt), KeyboardInterrupt),
        ("run --detach", lambda argv, stdin: (_ for _ in ()).throw(MachineLost("gone")), MachineLost),
    ],
)
@pytest.mark.parametrize("kernel", [KERNEL, None])
def test_what_cannot_be_opened_leaves_nothing(  # noqa: PLR0913, PLR0917 - what fails, how, and where
    word: str, failure, error, kernel, machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Podman fails, the agent does not start, the guest panics, Ctrl-C: whichever, all is ended and removed."""
    boot = machines.boot

    def failing(*ignored: object) -> Machine:
        made = boot()
        made.answers[word] = failure
        return made

    monkeypatch.setattr("tetraproof.guests.guest.boot", failing)
    monkeypatch.setattr(standalone, "ThisMachine", failing)
    with pytest.raises(error):
        open_standalone(plan(tmp_path, kernel=kernel))
    assert machines.last.closed == 1
    assert all(going.stopped for going in machines.last.going)
    if kernel is None:
        assert machines.last.lines("rm --all --force")
        assert machines.last.lines("rm -rf --one-file-system /run/tetraproof-")


def policy(kind: str = "TracingPolicy", **spec: object) -> Policy:
    text = POLICY.replace("kind: TracingPolicy\n", f"kind: {kind}\n")
    made = parse(
        text.replace("  name: guard\n", "  name: guard\n  namespace: other\n") if "Name" in kind else text, "x"
    )
    return replace(made, spec={**made.spec, **spec})


def test_what_only_kubernetes_has_is_unsupported(machines: Machines, tmp_path: Path) -> None:
    """With the reason; everything else is tried."""
    site = opened(tmp_path)
    assert "TracingPolicyNamespaced needs Kubernetes" in site.unsupported(policy("TracingPolicyNamespaced"))
    for everything in ({}, {"matchLabels": {"a": "b"}}):
        assert "podSelector needs Kubernetes" in site.unsupported(policy(podSelector=everything))
        assert "containerSelector needs Kubernetes" in site.unsupported(policy(containerSelector=everything))
    assert site.unsupported(policy()) == site.unsupported(policy(podSelector=None)) == ""
    assert site.unsupported(policy(loader=True)) == ""
    assert site.fitted(policy()) == policy()


def test_an_act_whose_program_is_not_there_is_not_tried(machines: Machines, tmp_path: Path) -> None:
    """It lacks something, which is told; it did not fail."""
    root = tmp_path / "root"
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/cat").touch()
    site = opened(tmp_path, roots={name: Rootfs(root, "a test") for name in ROOTS})
    acts = [
        replace(command(*argv, pod="nginx"), name=argv[0]) for argv in (("cat", "x"), ("vi", "x"), ("/tmp/cat", "x"))
    ]
    assert site.lacking("made", acts) == {"vi": "vi is not in the image of nginx"}


def test_on_this_machine_itself_a_policy_is_confined(machines: Machines, tmp_path: Path) -> None:
    """To the namespace of the run's pods; what cannot be confined is not applied."""
    machines.answers |= {"inspect": "4711", "readlink": "ipc:[42]"}
    site = opened(tmp_path, kernel=None)
    (hook,) = site.fitted(policy()).spec["kprobes"]
    asked = [one for selector in hook["selectors"] for one in selector["matchNamespaces"]]
    assert asked == [{"namespace": "Ipc", "operator": "In", "values": ["42"]}]
    told = site.unsupported(policy(loader=True))
    assert "cannot be confined to the run's containers, and is not applied" in told
    assert "KERNEL=debian:6.12" in told
    with pytest.raises(Unanswerable, match="loader hooks every process"):
        site.fitted(policy(loader=True))
    assert "nothing is known here of rawprobes" in site.unsupported(policy(rawprobes={}))
    assert site.unsupported(policy()) == ""
    probes = policy(uprobes=[{"path": "/bin/bash", "symbols": ["readline"]}])
    assert site.unsupported(probes) == ""
    machines.last.answers[" version --server"] = "Server version: v1.6.1\n"
    assert "uprobes can ask for no namespace with Tetragon 1.6.1" in site.unsupported(probes)


@pytest.mark.parametrize("told", ["ipc:[4026531839]", f"ipc:[{HERE}]", "", "ipc:[]"])
def test_on_this_machine_itself_a_namespace_that_others_share_confines_nothing(
    told: str, machines: Machines, tmp_path: Path
) -> None:
    """That of the machine, or one that could not be found out: no policy is applied there."""
    machines.answers |= {"inspect": "4711", "readlink": told}
    site = opened(tmp_path, kernel=None)
    assert "the run's containers have no IPC namespace of their own" in site.unsupported(policy())


def test_hosts_are_selected_by_an_agent_that_can_without_kubernetes(machines: Machines, tmp_path: Path) -> None:
    """In a guest too: 1.7.0 refuses that; one that does not say what it is, or does not run, will tell by itself."""
    site = opened(tmp_path)
    assert "hostSelector needs Kubernetes up to Tetragon 1.7.0" in site.unsupported(policy(hostSelector={}))
    assert site.unsupported(policy(hostSelector=None)) == ""
    for version in ("Server version: v1.7.1\n", "no server\n"):
        machines.last.answers[" version --server"] = version
        assert site.unsupported(policy(hostSelector={})) == ""
    machines.last.answers |= {" version --server": "Server version: v1.7.0\n", "status": "status error"}
    with pytest.raises(AgentError):
        site.configure({"no-such-option": "true"})
    assert site.unsupported(policy(hostSelector={})) == ""


def test_an_agent_is_started_anew_where_a_scenario_wants_it_set_otherwise(machines: Machines, tmp_path: Path) -> None:
    """And again where the next one does not; in between it is left alone."""
    site = opened(tmp_path, settings={"rb-size": "1M"})

    def configured(**settings: str) -> int:
        assert site.configure({name.replace("_", "-"): value for name, value in settings.items()}) == ""
        return len(machines.agents())

    assert configured() == 1
    assert configured(rb_size="1M") == 1
    assert configured(enable_process_cred="true") == 2
    assert configured(enable_process_cred="true") == 2
    assert "--enable-process-cred=true" in machines.agents()[-1].argv
    assert "--rb-size=1M" in machines.agents()[-1].argv
    assert configured() == 3
    assert "--enable-process-cred=true" not in machines.agents()[-1].argv
    assert [agent.runs for agent in machines.agents()] == [False, False, True]
    assert machines.streams()[-1].output != machines.streams()[0].output


def test_an_agent_that_ended_is_told_and_started_anew_for_the_next_scenario(machines: Machines, tmp_path: Path) -> None:
    """Never in silence within one."""
    site = opened(tmp_path)
    assert site.disturbed() == {}
    machines.agents()[0].runs = False
    assert site.disturbed() == {"made": "the agent ended"}
    assert site.configure({}) == ""
    assert len(machines.agents()) == 2
    assert site.disturbed() == {}


def test_an_agent_that_does_not_start_anew_is_tried_again(machines: Machines, tmp_path: Path) -> None:
    """The scenario that wanted it cannot be judged; those after it can."""
    site = opened(tmp_path)
    machines.last.answers["status"] = "status error"
    with pytest.raises(AgentError):
        site.configure({"no-such-option": "true"})
    assert site.disturbed() == {"made": "the agent ended"}
    machines.last.answers["status"] = RUNS
    assert site.configure({}) == ""
    assert site.disturbed() == {}


def test_an_agent_that_is_not_ours_is_not_set(machines: Machines, tmp_path: Path) -> None:
    """What it lacks is told; it is not ended either."""
    site = opened(tmp_path, kernel=None, bundle=None)
    assert site.configure({}) == ""
    assert site.configure({"enable-process-cred": "true"}) == (
        "the agent is set to enable-process-cred: nothing, not true, and is not ours to change"
    )
    assert machines.agents() == []
    assert site.export("made", datetime.now(UTC), b"x") == b""


def test_policies_go_in_and_out_by_tetra(machines: Machines, tmp_path: Path) -> None:
    """What it refuses is told without its log's decoration."""
    site = opened(tmp_path)
    assert site.apply(GUARD, "manifest") == ""
    (added,) = machines.last.lines("tracingpolicy add")
    file = added.partition("tracingpolicy add ")[2].split()[0]
    assert Path(file).read_text(encoding="utf-8") == "manifest"
    refusal = b"level=warn msg=old\nfailed to add tracing policy: no such hook\n"
    machines.last.answers["tracingpolicy add"] = Completed(1, b"", refusal)
    assert site.apply(GUARD, "manifest") == "failed to add tracing policy: no such hook"
    late = b"Error: failed to add tracing policy: rpc error: code = DeadlineExceeded desc = context deadline exceeded\n"
    for unheard in (Completed(1, b"", late), Completed(None, broken="no end within 190 s")):
        machines.last.answers["tracingpolicy add"] = unheard
        assert site.apply(GUARD, "manifest") == "", "its state says what became of it"
    site.remove(GUARD)
    assert machines.last.lines("tracingpolicy delete guard")
    assert len(machines.agents()) == 1


def test_an_agent_is_told_of_a_policy_by_its_name(machines: Machines, tmp_path: Path) -> None:
    """What it answers is the outcome."""
    site = opened(tmp_path)
    assert site.order("made", GUARD, ("set-mode", "monitor")).ok
    assert site.order("made", GUARD, ("disable",)).ok
    (mode,), (disabled,) = machines.last.lines("set-mode"), machines.last.lines("disable")
    assert "tracingpolicy set-mode guard monitor" in mode
    assert "tracingpolicy disable guard" in disabled
    machines.last.answers["tracingpolicy enable"] = Completed(1, b"", b"no such policy\n")
    assert site.order("made", GUARD, ("enable",)).complaint == "no such policy\n"


def test_a_policy_that_stays_costs_the_agent_its_place(machines: Machines, tmp_path: Path) -> None:
    """The next scenario begins without it."""
    site = opened(tmp_path)
    machines.last.answers["tracingpolicy delete"] = Completed(1, b"", b"busy")
    site.apply(GUARD, "manifest")
    site.remove(GUARD)
    assert [agent.runs for agent in machines.agents()] == [False, True]


def test_a_policy_of_which_the_agent_has_nothing_is_gone(machines: Machines, tmp_path: Path) -> None:
    """As one that it refused: nothing stays, and to start it anew would be for nothing."""
    site = opened(tmp_path)
    said = b"Error: failed to delete tracing policy: rpc error: desc = tracing policy {guard } does not exist\n"
    machines.last.answers["tracingpolicy delete"] = Completed(1, b"", said)
    site.apply(GUARD, "manifest")
    site.remove(GUARD)
    assert [agent.runs for agent in machines.agents()] == [True]


def test_a_policy_that_was_never_applied_is_not_taken_away(machines: Machines, tmp_path: Path) -> None:
    """As one that is unsupported here; the agent would not know it."""
    site = opened(tmp_path)
    site.remove(GUARD)
    assert machines.last.lines("delete") == []
    assert len(machines.agents()) == 1


def test_the_stream_is_that_of_our_pods_and_our_policy(machines: Machines, tmp_path: Path) -> None:
    """Cut ids included; what is no event is kept, and a line that is not whole yet is not told."""
    site = opened(tmp_path)
    file = machines.streams()[0].output
    file.write_bytes(event(IDS["probe"][:31]))
    position = site.position("made")
    ours, theirs = event(IDS["nginx"][:31]), event("f" * 31)
    enforced, other = event("", policy="guard"), event("", policy="other")
    file.write_bytes(file.read_bytes() + ours + theirs + enforced + other + b"no JSON\n" + ours[:40])
    assert site.heard("made", position, "guard") == ours + enforced + b"no JSON\n"
    assert site.heard("made", position, "") == ours + b"no JSON\n"


def test_a_stream_that_ended_is_begun_anew(machines: Machines, tmp_path: Path) -> None:
    """For the next scenario, in a file of its own: positions in the old one mean nothing there."""
    site = opened(tmp_path)
    machines.streams()[0].output.write_bytes(event(IDS["probe"]))
    machines.streams()[0].runs = False
    assert site.position("made") == 0
    assert len(machines.streams()) == 2
    assert machines.streams()[1].output != machines.streams()[0].output


def test_the_export_log_is_told_since_the_scenario_began(machines: Machines, tmp_path: Path) -> None:
    """Once it shows what was heard; what there is of it otherwise."""
    site = opened(tmp_path)
    file = site.agent.export
    assert file is not None
    assert f"--export-filename={file}" in machines.agents()[0].argv
    file.write_bytes(event(IDS["probe"]))
    site.position("made")
    site.apply(GUARD, "manifest")
    later = event(IDS["nginx"]) + event("", policy="guard")
    with file.open("ab") as export:
        export.write(later + event("f" * 31))
    assert site.export("made", datetime.now(UTC), IDS["nginx"].encode()) == later
    assert site.export("made", datetime.now(UTC), b"never") == later
    # it is read while the policy is taken away
    site.remove(GUARD)
    assert site.export("made", datetime.now(UTC), b"never") == later
    site.position("made")
    assert site.export("made", datetime.now(UTC), b"never") == b""


def test_a_machine_that_is_lost_is_booted_anew_for_the_next_scenario(machines: Machines, tmp_path: Path) -> None:
    """The act that lost it has no outcome; after three boots it is given up."""
    site = opened(tmp_path)
    for boots in (2, 3):
        machines.last.lost = True
        with pytest.raises(MachineLost, match="made here was lost"):
            site.perform(command("true"), site.bindings("made").pod("probe"), ["true"])
        assert machines.last.closed == 1
        assert site.configure({}) == ""
        assert len(machines.booted) == boots
        assert site.perform(command("true"), site.bindings("made").pod("probe"), ["true"]).exit_code == 0
    machines.last.lost = True
    with pytest.raises(MachineLost, match="made here was lost"):
        site.states()
    with pytest.raises(MachineLost, match="lost 3 times, and is not started again"):
        site.configure({})
    site.close()


# what the options say


def asked(tmp_path: Path, *words: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
    """What `make test TARGET=standalone` says, with an empty cache."""
    own = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "XDG_CACHE_HOME": str(tmp_path),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "suites",
            "-q",
            "--tetraproof-target=standalone",
            f"--tetraproof-reports={tmp_path / 'r'}",
            *(word.replace("--", "--tetraproof-", 1) for word in words),
        ],
        cwd=ROOT,
        env={**own, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "The target standalone needs to know on which kernel."),
        (["--kernel", "debian:6"], "'debian:6' names no release of a kernel."),
        (["--kernel", "/no/such"], "There is no kernel '/no/such'."),
        (["--kernel", "debian:6.12,debian:6.1"], "One run is on one kernel."),
        (["--kernel", "debian:6.12", "--agent", "existing"], "No agent runs in a guest before we start one."),
        (["--kernel", "{vmlinuz}"], "The target standalone needs a Tetragon to start, and none is named or cached."),
        (["--kernel", "{vmlinuz}", "--bundle", "/no/such"], "There is no bundle '/no/such'."),
    ],
)
def test_what_cannot_be_run_ends_in_a_sentence(words: list[str], sentence: str, tmp_path: Path) -> None:
    """With exit code 2 or 4, what to do, and nothing left behind."""
    from tests.guests.test_kernel import flat  # noqa: PLC0415 - it makes one

    vmlinuz = flat(tmp_path / "kernel")
    code, told = asked(tmp_path, *(word.format(vmlinuz=vmlinuz) for word in words))
    assert code not in {0, 1}
    assert sentence in told
    assert "to mend it: " in told
    assert "Traceback" not in told
    assert not list((tmp_path / "r").glob("*"))


def test_a_long_name_of_a_run_names_nothing_on_the_machine(machines: Machines, tmp_path: Path) -> None:
    """Podman takes no path of more than 50 characters, and the BPF file system no name with a dot."""
    site = opened(tmp_path, run_id="20261125-113945-standalone-debian-6.12-and-some-more")
    said = [word for line in machines.last.lines("--runroot") for word in line.split() if word.startswith("/run/")]
    assert said
    assert all(len(word) <= 50 for word in said)
    assert not machines.last.lines("20261125-113945")
    site.close()
