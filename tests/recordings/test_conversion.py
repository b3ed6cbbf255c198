"""Raw records become a recording; what is not there is left empty and told, never invented."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.builders import BASH, NODE, POLICY, execs, exits, hooked, of_sentinel, sentinel, started, write_tree
from tetraproof.cli import main
from tetraproof.errors import TetraproofError
from tetraproof.observing.timeline import START
from tetraproof.recordings.conversion import Choice, convert
from tetraproof.recordings.recording import INDEX, Recording, from_files, open_recording, sealed
from tetraproof.targets.replay import Replay

Raw = dict[str, Any]
OTHER = "other-node"
SHELL = started(100, BASH, '-c "x y"')
NGINX = started(200, "/usr/sbin/nginx", pod="default/nginx-795c6cd55d-jvmml")
STRANGER = started(300, "/usr/bin/kubelet", pod="")
NOTICE = b"tail: '/var/run/tetragon.log' has been replaced;  following new file\n"
METRICS = """\
tetragon_observer_ringbuf_events_lost_total 0
tetragon_observer_ringbuf_queue_events_lost_total 0
tetragon_observer_ringbuf_events_received_total 3
tetragon_observer_ringbuf_queue_events_received_total 3
tetragon_policy_events_total{binary="b",policy="guard"} 1
go_goroutines 3
"""
ABOUT = {"stream_alive_to_end": True, "policy_settled_after_s": 12.5, "started": "2026-11-23T07:00:00+00:00"}


def node(name: str = NODE, cpus: str = "1") -> Raw:
    info = {"kernelVersion": "6.12.0", "osImage": "Debian", "architecture": "amd64", "containerRuntimeVersion": "c://2"}
    return {"kind": "Node", "metadata": {"name": name}, "status": {"nodeInfo": info, "capacity": {"cpu": cpus}}}


def pod(name: str, *, namespace: str = "other", owner: str = "", on: str = NODE, ip: str = "10.0.0.6") -> Raw:
    metadata: Raw = {"name": name, "namespace": namespace}
    metadata |= {"ownerReferences": [{"kind": owner}]} if owner else {}
    return {"metadata": metadata, "spec": {"nodeName": on}, "status": {"podIP": ip}}


def probe(name: str, *argv: str, **more: Any) -> Raw:
    return {
        "id": name,
        "namespace": "other",
        "pod": "probe",
        "argv": argv,
        "exit_code": 0,
        "stdout": "",
        "stderr": "",
        **more,
    }


PROBES = [
    probe("sentinel-start-0", "true", "sentinel-start-0"),
    probe("act", "bash", "-c", "x y", stdin="typed\n", exit_code=3, started="2026-11-23T07:00:01+00:00"),
    probe("sentinel-end", "true", "sentinel-end-0"),
]
EVENTS = [
    *of_sentinel(sentinel(START), 1),
    execs(SHELL),
    hooked(NGINX, file="/tmp/a"),
    execs(STRANGER),
    exits(SHELL, 3),
    *of_sentinel(sentinel(), 9),
]
LINES = b"".join(event.line + b"\n" for event in EVENTS)
COMPACT = "".join(f"line {number}\n" for number in range(len(EVENTS)))


def raw() -> Raw:
    """A miniature of one cell: an environment, and two scenarios; values that are no text are JSON."""
    daemonset = {"spec": {"template": {"spec": {"containers": [{"name": "export-stdout"}, {
        "name": "tetragon",
        "image": "quay.io/cilium/tetragon:v1.7.0",
        "args": ["--config-dir=/etc/tetragon", "--disable-kprobe-multi"],
    }]}}}}  # fmt: skip
    services = [{"metadata": {"name": name, "namespace": space}, "spec": {"clusterIP": "10.96.0.9"}}
                for name, space in (("deathstar", "galaxy"), ("dns", "kube-system"))]  # fmt: skip
    pods = [pod("probe"), pod("nginx-795c6cd55d-jvmml", namespace="default", owner="ReplicaSet", ip="10.0.0.2"),
            pod("tetragon-x2x4q", namespace="kube-system", owner="DaemonSet")]  # fmt: skip
    return {
        "environment/node.json": node(),
        "environment/configmap.json": {"data": {"enable-process-cred": "false", "use-perf-ring-buffer": "false"}},
        "environment/daemonset.json": daemonset,
        "environment/services.json": {"items": services},
        "environment/servicecidrs.json": {"items": [{"spec": {"cidrs": ["10.96.0.0/16"]}}]},
        "environment/ranges.json": {"pods": "10.0.0.0/18"},
        "environment/kubectl-version.json": {"serverVersion": {"gitVersion": "v1.36.2"}},
        "environment/tetra-version.txt": "CLI version: v1.7.0\n",
        "environment/tetra-probe.txt": "signal: true\n",
        "environment/kernel.config": "CONFIG_BPF=y\nCONFIG_SOUND=y\n# CONFIG_BPF_LSM is not set\n",
        "environment/crds.json": {},
        "guard/policy.yaml": POLICY,
        "guard/policy-state.json": {"policies": [{"name": "guard", "state": "TP_STATE_ENABLED"}]},
        "guard/policy-state-after.json": {"policies": [{"name": "guard", "state": "TP_STATE_ENABLED"}]},
        "guard/probes.json": PROBES,
        "guard/events.jsonl": LINES,
        "guard/events.compact.txt": COMPACT,
        "guard/export-stdout.log": NOTICE + LINES,
        "guard/metrics-before.txt": METRICS,
        "guard/metrics-after.txt": METRICS.replace("received_total 3", "received_total 9"),
        "guard/pods.json": {"items": pods},
        "guard/scenario.json": ABOUT,
        "guard/unrelated.txt": "not for a recording",
        "baseline/probes.json": PROBES,
        "baseline/events.jsonl": LINES,
        "notes/acts.txt": "no scenario",
    }  # fmt: skip


def written(tmp_path: Path, change: Raw | None = None, *without: str) -> Path:
    """The raw records with some files replaced, and some or whole folders left out."""
    files = {
        name: content for name, content in {**raw(), **(change or {})}.items() if not name.startswith(without or ("-",))
    }
    text = {
        name: content if isinstance(content, str | bytes) else json.dumps(content) for name, content in files.items()
    }
    return write_tree(text, tmp_path / "raw")


def converted(tmp_path: Path, change: Raw | None = None, *without: str, choice: Choice = Choice()) -> Recording:  # noqa: B008
    """The recording made of them, sealed and verified."""
    return from_files("made", sealed(convert(written(tmp_path, change, *without), choice)))


def test_raw_records_become_a_recording(tmp_path: Path) -> None:
    """The cell, where it was, what was bound, the acts, and every file that is kept."""
    made = converted(tmp_path)
    cell = made.index.cell
    assert (cell.tetragon, cell.kubernetes, cell.kernel, cell.target) == ("1.7.0", "1.36.2", "6.12.0", "kubernetes")
    assert (cell.label, cell.differs) == ("disable-kprobe-multi", {"disable-kprobe-multi": "true"})
    assert made.index.provenance.recorded == "2026-11-23T07:00:00+00:00"
    assert made.index.provenance.where == "1 node, Debian, amd64, c://2"
    bound = made.index.bindings
    assert bound.services == {"deathstar": "10.96.0.9"}
    assert bound.ranges == {"ranges.pods": "10.0.0.0/18", "ranges.services": "10.96.0.0/16"}
    assert {name: str(pods[0]) for name, pods in bound.workloads.items()} == {
        "probe": "other/probe",
        "nginx": "default/nginx-795c6cd55d-jvmml",
    }
    assert [scenario.name for scenario in made.index.scenarios] == ["baseline", "guard"]
    assert [scenario.policy for scenario in made.index.scenarios] == [False, True]
    guard = made.index.scenarios[1]
    assert (guard.heard_to_the_end, guard.settled_after, guard.notes) == (True, 12.5, ())
    assert {path for path in made.files if path.startswith("scenarios/guard/")} == {
        f"scenarios/guard/{name}"
        for name in ("policy.yaml", "state.json", "state-after.json", "acts.json", "events.jsonl", "events.compact.txt",
                     "export.jsonl", "metrics-before.txt", "metrics-after.txt")
    }  # fmt: skip


def test_acts_are_kept_as_they_were(tmp_path: Path) -> None:
    """With their roles, input, outcome and node."""
    start, act, end = converted(tmp_path).acts("guard")
    assert (start.role, act.role, end.role) == ("sentinel-start", "act", "sentinel-end")
    assert (act.argv, act.stdin, act.exit_code, act.node) == (("bash", "-c", "x y"), "typed\n", 3, NODE)
    assert act.started == "2026-11-23T07:00:01+00:00"


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    """Files, options, folders without acts."""
    made = converted(tmp_path)
    told = "\n".join(made.index.provenance.left_out)
    for word in ("environment/crds.json", "kernel.config: options", "notes: neither a probes.json"):
        assert word in told
    assert len(made.index.provenance.left_out) == 3
    assert made.text("environment/kernel.config") == "CONFIG_BPF=y\n# CONFIG_BPF_LSM is not set\n"
    assert made.text("environment/crds.json") is None
    assert "go_goroutines" not in (made.text("scenarios/guard/metrics-after.txt") or "")
    assert 'policy="guard"' in (made.text("scenarios/guard/metrics-after.txt") or "")


@pytest.mark.parametrize(
    "without",
    [
        ("environment/ranges.json",),
        ("environment/servicecidrs.json", "environment/services.json"),
        ("environment/kernel.config",),
        ("environment/configmap.json",),
        ("environment/daemonset.json",),
        ("environment/kubectl-version.json",),
        ("environment/tetra-version.txt", "environment/tetra-probe.txt"),
        ("guard/pods.json",),
        ("guard/scenario.json",),
        ("guard/metrics",),
        ("guard/export-stdout.log", "guard/events.compact.txt"),
        ("guard/policy-state-after.json",),
        ("guard/policy-state",),
        ("guard/events.jsonl",),
        ("guard/policy.yaml",),
        ("notes", "baseline"),
    ],
    ids=" ".join,
)
def test_any_optional_file_may_be_missing(tmp_path: Path, without: tuple[str, ...]) -> None:
    """The rest is a recording that replays, verified."""
    made = converted(tmp_path, {}, *without)
    observed = Replay(made).observe(None, {}, (), "guard")
    assert [done.performed.id for done in observed.others] == ["act"]
    assert (observed.others[0].timeline.open == "") is not bool({"guard/events.jsonl", "guard/metrics"} & {*without})


def test_a_minimum_is_enough(tmp_path: Path) -> None:
    """A node, and acts."""
    keep = ("environment/node.json", "guard/probes.json")
    made = converted(tmp_path, {}, *(name for name in raw() if name not in keep))
    assert made.index.cell.target == "standalone"
    assert made.index.scenarios[0].notes == ("no event stream was recorded",)
    assert made.index.bindings.values() == {"internet.ip": "203.0.113.10"}


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({}, lambda act: act.stdin is None),
        ({"stdin": ""}, lambda act: not act.stdin),
        ({"tty": True}, lambda act: act.tty),
        ({"exit_code": None}, lambda act: act.exit_code is None and "no exit code" in act.broken),
        ({"exit_code": 0}, lambda act: act.exit_code == 0 and not act.broken),
        ({"cpu": 1}, lambda act: act.cpu == 1),
        ({"cpu": 0}, lambda act: act.cpu == 0),
        ({"cpu": None}, lambda act: act.cpu is None),
        ({"node": NODE}, lambda act: act.node == NODE),
        ({"surprise": 1}, lambda act: act.argv == ("true",)),
    ],
)
def test_an_act_with_and_without_its_keys(tmp_path: Path, changed: Raw, check: Callable[[Any], bool]) -> None:
    """What is there is kept, be it zero; what is not there is not invented."""
    (act,) = converted(tmp_path, {"guard/probes.json": [probe("one", "true", **changed)]}).acts("guard")
    assert check(act)


def test_a_line_of_the_export_that_is_no_event_is_kept_and_told(tmp_path: Path) -> None:
    """The container's own notice stands in the log as it stood."""
    made = converted(tmp_path)
    assert (made.in_scenario("guard", "export.jsonl") or b"").startswith(NOTICE)
    assert len(Replay(made).observe(None, {}, (), "guard").export) == len(EVENTS)  # type: ignore[arg-type]


def test_two_nodes(tmp_path: Path) -> None:
    """Each with its own kernel, state and acts."""
    states = {name: {"policies": [{"name": "guard", "state": "TP_STATE_ENABLED"}]} for name in (NODE, OTHER)}
    change = {
        "environment/node.json": {"items": [node(), node(OTHER, "4")]},
        "environment/configmap.json": {"data": {}},
        "guard/policy-state.json": states,
        "guard/pods.json": {"items": [pod("probe"), pod("probe-2", on=OTHER)]},
        "guard/probes.json": [*PROBES, probe("there", "true", pod="probe-2"), probe("anywhere", "true", pod="gone")],
    }
    made = converted(tmp_path, change)
    assert [(one.name, one.cpus, one.rings) for one in made.index.nodes] == [(NODE, 1, 1), (OTHER, 4, 4)]
    assert made.index.provenance.where.startswith("2 nodes")
    assert set(made.states("guard")) == {NODE, OTHER}
    assert {act.id: act.node for act in made.acts("guard")}["there"] == OTHER
    assert len(Replay(made).observe(None, {}, (), "guard").states) == 2


@pytest.mark.parametrize("form", ["json", "table"])
def test_only_what_is_said_of_the_scenarios_own_policy_is_kept(tmp_path: Path, form: str) -> None:
    """Whatever else was in force there is somebody else's, by its name and its namespace."""
    told = [
        {"name": "theirs", "namespace": "bystander", "state": "TP_STATE_ENABLED"},
        {"name": "guard", "state": "TP_STATE_ENABLED"},
        {"name": "guard", "namespace": "bystander", "state": "TP_STATE_ENABLED"},
    ]
    rows = ("1  theirs enabled bystander", "2  guard  enabled (global)", "3  guard  enabled bystander")
    table = "\n".join(("ID NAME   STATE   NAMESPACE", *rows))
    change: Raw = {
        "guard/policy-state.json": {"policies": told},
        "guard/policy-state-after.json": {"policies": told},
        "guard/policy-state-after.txt": table,
    }
    without = ("guard/policy-state-after.json",) if form == "table" else ()
    made = converted(tmp_path, change, *without)
    for after in (False, True):
        ((one,),) = made.states("guard", after=after).values()
        assert (one["name"], one.get("namespace") or "") == ("guard", "")
    assert len(Replay(made).observe(None, {}, (), "guard").states_after) == 1


@pytest.mark.parametrize(("setting", "rings"), [("false", 1), ("true", 4), (None, 4)])
def test_how_many_rings_an_agent_reads(tmp_path: Path, setting: str | None, rings: int) -> None:
    """One, if its settings say so; otherwise one for each CPU, as older agents and perf buffers have it."""
    data = {} if setting is None else {"use-perf-ring-buffer": setting}
    change = {"environment/node.json": node(cpus="4"), "environment/configmap.json": {"data": data}}
    assert converted(tmp_path, change).index.nodes[0].rings == rings


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("quay.io/cilium/tetragon:v1.4.1", "1.4.1"),
        ("registry:5000/tetragon:v1.4.1", "1.4.1"),
        ("quay.io/cilium/tetragon:v1.4.1@sha256:0123", "1.4.1"),
        ("quay.io/cilium/tetragon:latest", "1.7.0"),
    ],
)
def test_the_agents_version_is_its_images(tmp_path: Path, image: str, version: str) -> None:
    """Whatever registry and digest; the command-line tool's where the image does not say."""
    daemonset = {"spec": {"template": {"spec": {"containers": [{"name": "tetragon", "image": image}]}}}}
    assert converted(tmp_path, {"environment/daemonset.json": daemonset}).index.cell.tetragon == version


@pytest.mark.parametrize(
    ("data", "label"),
    [
        ({"enable-process-cred": "false", "surprise": "x"}, "disable-kprobe-multi"),
        ({"enable-process-cred": "true"}, "disable-kprobe-multi,enable-process-cred"),
        ({"export-rate-limit": "5"}, "disable-kprobe-multi,export-rate-limit=5"),
    ],
)
def test_a_cell_is_labelled_by_what_differs_from_the_defaults(tmp_path: Path, data: Raw, label: str) -> None:
    """Settings that change what events say; those of an unknown name only where somebody has given them by hand."""
    cell = converted(tmp_path, {"environment/configmap.json": {"data": data}}).index.cell
    assert cell.label == label
    assert cell.digest != converted(tmp_path / "other").index.cell.digest


def test_a_scenario_may_have_settings_of_its_own(tmp_path: Path) -> None:
    """What of its ConfigMap differs from the cell's."""
    data = {"enable-process-cred": "true", "use-perf-ring-buffer": "false"}
    made = converted(tmp_path, {"baseline/configmap.json": {"data": data}})
    assert made.index.scenarios[0].settings == {"enable-process-cred": "true"}


@pytest.mark.parametrize(
    ("choice", "names", "told"),
    [
        (Choice(only=("guard",)), ["guard"], "scenario baseline"),
        (Choice(without=("guard",)), ["baseline"], "scenario guard"),
        (Choice(only=("guard", "baseline"), without=("baseline",)), ["guard"], "scenario baseline"),
        (Choice(export=()), ["baseline", "guard"], "export logs"),
    ],
)
def test_some_scenarios_may_be_chosen(tmp_path: Path, choice: Choice, names: list[str], told: str) -> None:
    """By name; the others are told as left out."""
    made = converted(tmp_path, choice=choice)
    assert [scenario.name for scenario in made.index.scenarios] == names
    assert any(one.startswith(told) for one in made.index.provenance.left_out)
    assert (made.in_scenario("guard", "export.jsonl") is not None) is ("guard" in names and choice.export is None)


def test_trimmed_is_without_strangers(tmp_path: Path) -> None:
    """Events of namespaces that were not acted in are left out with their compact lines, and counted."""
    made = converted(tmp_path, choice=Choice(trim=True))
    kept = (made.in_scenario("guard", "events.jsonl") or b"").splitlines()
    assert kept == [event.line for event in EVENTS if event.pod == "other/probe"]
    assert len((made.text("scenarios/guard/events.compact.txt") or "").splitlines()) == len(kept)
    assert "line 2" in (made.text("scenarios/guard/events.compact.txt") or "")
    assert "line 4" not in (made.text("scenarios/guard/events.compact.txt") or "")
    assert NOTICE in (made.in_scenario("guard", "export.jsonl") or b"")
    assert STRANGER.binary.encode() not in (made.in_scenario("guard", "export.jsonl") or b"")
    (note,) = made.index.scenarios[1].notes
    assert note.startswith("trimmed: 4 events")


def test_trimmed_compact_lines_of_strangers_are_nowhere(tmp_path: Path) -> None:
    """A notice in the export has no compact line; what tetra printed of strangers must go all the same."""
    change = {"guard/export.compact.txt": "".join(f"line {event.process.binary}\n" for event in EVENTS)}
    made = converted(tmp_path, change, choice=Choice(trim=True))
    assert "kubelet" not in (made.text("scenarios/guard/export.compact.txt") or "")


ONE = probe("one", "true")


def acts(*each: Raw) -> Raw:
    return {"guard/probes.json": each}


@pytest.mark.parametrize(
    ("change", "without", "choice", "word"),
    [
        ({}, ("environment",), Choice(), "is no folder of raw records: environment/ is missing"),
        ({}, ("environment/node.json",), Choice(), "node.json is missing or names no node"),
        ({"environment/node.json": {"items": []}}, (), Choice(), "node.json is missing or names no node"),
        ({}, ("guard", "baseline"), Choice(), "holds no scenario"),
        ({}, (), Choice(only=("gaurd",)), "has no scenario gaurd"),
        ({}, (), Choice(without=("gaurd",)), "has no scenario gaurd"),
        ({}, (), Choice(export=("gaurd",)), "has no scenario gaurd"),
        ({}, (), Choice(only=("guard",), without=("guard",)), "no scenario"),
        ({"guard/probes.json": "[{"}, (), Choice(), "probes.json is no JSON"),
        ({"guard/probes.json": b"\xff\xfe"}, (), Choice(), "probes.json is no JSON"),
        (acts({**ONE, "argv": "true"}), (), Choice(), "Expected `array`, got `str` - at `$[0].argv`"),
        (acts(ONE, {**ONE, "id": "two", "exit_code": "0"}), (), Choice(), "got `str` - at `$[1].exit_code`"),
        (acts({name: ONE[name] for name in ONE if name != "argv"}), (), Choice(), "argv"),
        (acts({name: ONE[name] for name in ONE if name != "namespace"}), (), Choice(), "namespace"),
        ({"guard/probes.json": {"acts": []}}, (), Choice(), "probes.json"),
        ({"guard/probes.json": ["true"]}, (), Choice(), "probes.json"),
        ({"guard/policy.yaml": "kind: Pod"}, (), Choice(), "policy.yaml: kind is 'Pod'"),
        ({"environment/tetra-version.txt": b"\xff"}, (), Choice(), "tetra-version.txt"),
        ({"guard/scenario.json": ["x"]}, (), Choice(), "scenario.json"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_is_told(
    tmp_path: Path, change: Raw, without: tuple[str, ...], choice: Choice, word: str
) -> None:
    """By file and field, in a sentence; never by a Python error."""
    with pytest.raises(TetraproofError) as refused:
        convert(written(tmp_path, change, *without), choice)
    assert word in refused.value.sentence
    assert refused.value.sentence.endswith(".")


def test_a_policy_of_a_newer_agent_is_recorded_all_the_same(tmp_path: Path) -> None:
    """The agent accepted it, so a field that this CRD does not know is no reason to refuse the record."""
    newer = POLICY.replace("spec:\n", "spec:\n  brandNew: true\n")
    assert converted(tmp_path, {"guard/policy.yaml": newer}).index.scenarios[1].policy


def test_the_command_writes_a_recording_that_it_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`tetraproof convert` and `tetraproof verify`, one after the other."""
    source, made = written(tmp_path), tmp_path / "made"
    assert main(["convert", str(source), str(made), "--only", "guard", "--trim"]) == 0
    assert "1 scenarios" in capsys.readouterr().out
    assert main(["verify", str(made)]) == 0
    assert "made is whole: 1 scenarios, 3 acts" in capsys.readouterr().out
    assert open_recording(made).index.scenarios[0].name == "guard"


def test_the_commands_refuse_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, on standard error, with a remedy."""
    assert main(["convert", str(tmp_path / "nowhere"), str(tmp_path / "made")]) == 2
    assert main(["verify", str(tmp_path)]) == 2
    assert main(["convert", str(written(tmp_path)), str(tmp_path / "raw")]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert told.err.count("tetraproof: ") == told.err.count("to mend it: ") == 3


def test_nothing_of_the_machine_gets_into_a_recording(tmp_path: Path) -> None:
    """Where the raw records lay is nobody's business."""
    files = convert(written(tmp_path))
    assert str(tmp_path).encode() not in b"".join(files.values())
    assert msgspec.json.decode(files[INDEX])["provenance"]["made_by"]
