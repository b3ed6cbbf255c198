"""A live run that adds to a recording performs what is not recorded yet, or changed, and nothing else."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.api_server import CONTEXT, ApiServer, Exec
from tests.builders import NEWEST, NODE, RECORDINGS, read_tree, reindexed, write_tree
from tests.clusters import ACTS, GUARDED, POLICY, SECOND, WORKLOADS, Lab, guard, hurried, opened, playing
from tests.targets.test_pods import SUITE
from tetraproof.answer import Unknown
from tetraproof.errors import RecordingError
from tetraproof.observing.act import Act, Acts, shell
from tetraproof.observing.observation import Done
from tetraproof.policies.policy import Policy, parse
from tetraproof.recordings.recording import INDEX, SUMS, open_recording, sealed
from tetraproof.report.result import read
from tetraproof.targets import Changing, Unanswerable
from tetraproof.targets.renewing import Renewing
from tetraproof.targets.replay import Replay

CHANGED = RECORDINGS / "k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117"


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with ApiServer() as server:
        server.lingers = 0
        yield server


class Log:
    """What was performed in the pods of a lab, but for sentinels."""

    def __init__(self, api: ApiServer) -> None:
        self._run = api.exec
        self._lines: list[tuple[str, str]] = []
        api.exec = self._logged

    async def _logged(self, command: Exec) -> None:
        if command.argv[0] == "bash":
            self._lines.append((command.pod["spec"]["nodeName"], command.argv[-1]))
        await self._run(command)

    def taken(self) -> list[tuple[str, str]]:
        """The node and the script of each act since it was asked last."""
        taken, self._lines = self._lines, []
        return sorted(taken)


# one target


def recorded(lab: Lab, folder: Path, *acts: Act, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recording of the policy `guard` with these acts, made by a live target."""
    hurried(monkeypatch)
    into = folder / "into"
    with opened(lab, folder / "first") as (live, _):
        for scenario in live.scenarios("guard", guard(), {}):
            live.observe(guard(), {}, acts or tuple(ACTS), scenario)
        live.recorder.write(into)
    return into


def test_what_is_recorded_is_not_performed_again(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where all of it is, nor where a suite asks for a part of it; the policy is not even applied."""
    lab, log = Lab(api), Log(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    before = read_tree(into)
    assert log.taken()
    with opened(lab, tmp_path / "second") as (live, _):
        renewing = Renewing(live, into)
        lab.api.created.append(lambda made: pytest.fail(str(made)) if made["kind"] == "TracingPolicy" else None)
        observed = renewing.observe(guard(), {}, tuple(ACTS), "guard")
        renewing.observe(guard(), {}, tuple(ACTS)[1:], "guard")
        renewing.write(into)
    assert log.taken() == []
    assert renewing.kept == ["guard", "guard"]
    assert all(isinstance(done, Done) and not done.timeline.open for done in observed.acts.values())
    assert read_tree(into) == before


MORE = Acts(**{act.name: act for act in ACTS}, more=shell("echo foo > /tmp/more"))


@pytest.mark.parametrize(
    ("policy", "acts"),
    [
        (guard(), MORE),
        (guard(), Acts(guarded=shell(f"echo bar > {GUARDED}"))),
        (parse(POLICY.replace("Sigkill", "Post"), "guard.yaml"), ACTS),
        (parse(POLICY.replace(GUARDED, "/tmp/other"), "guard.yaml"), ACTS),
    ],
    ids=["one more act", "another act", "another action", "another path"],
)
def test_what_changed_is_performed_whole(
    policy: Policy, acts: Acts, api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scenario's acts follow each other, so all of them are."""
    lab, log = Lab(api), Log(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    log.taken()
    with opened(lab, tmp_path / "second") as (live, _):
        renewing = Renewing(live, into)
        renewing.observe(policy, {}, tuple(acts), "guard")
        renewing.write(into)
    assert log.taken() == sorted((NODE, act.argv[-1]) for act in acts)
    assert renewing.kept == []
    assert [act.argv for act in open_recording(into).acts("guard") if act.role in {"act", "prepare"}] == [
        act.argv for act in acts
    ]


def test_another_suite_of_the_policy_takes_nobodys_place(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scenario stands beside the first one's, also where no suite was told; each is renewed by itself."""
    lab, log = Lab(api), Log(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    first = {path: content for path, content in read_tree(into).items() if path.startswith("scenarios/guard/")}
    more, edited = (Acts(more=shell(f"echo {word} > /tmp/more")) for word in ("more", "other"))
    suites = [("suites/test_more.py", more), ("suites/test_one.py", ACTS), ("suites/test_more.py", edited)]
    names = [["guard", "guard~2"]] * 3
    for number, ((suite, acts), expected) in enumerate(zip(suites, names, strict=True)):
        log.taken()
        with opened(lab, tmp_path / str(number)) as (live, _):
            renewing = Renewing(live, into)
            renewing.observe(guard(), {}, tuple(acts), "guard", suite)
            renewing.write(into)
        recording = open_recording(into)
        assert [one.name for one in recording.index.scenarios] == expected
        assert [one.beside for one in recording.index.scenarios] == ["", "guard"]
        assert {path: recording.files[path] for path in first} == first
        assert bool(log.taken()) == (acts is not ACTS)
    assert [act.argv for act in recording.acts("guard~2") if act.role == "act"] == [act.argv for act in edited]
    # once the policy has changed, what was recorded of the old one answers for the new one no more
    changed = parse(POLICY.replace("Sigkill", "Post"), "guard.yaml")
    with opened(lab, tmp_path / "changed") as (live, _):
        renewing = Renewing(live, into)
        renewing.observe(changed, {}, tuple(ACTS), "guard", "suites/test_one.py")
        renewing.write(into)
    replay = Replay(open_recording(into))
    assert [list(replay.scenarios("guard", one, {})) for one in (guard(), changed)] == [["guard~2"], ["guard"]]
    assert isinstance(replay.observe(changed, {}, tuple(edited), "guard", "suites/test_more.py").acts["more"], Unknown)


@pytest.mark.parametrize(
    "said",
    [
        {"heard_to_the_end": False},
        {"unanswered": {"verdict": "inconclusive", "reason": "the agent was gone"}},
        {"unanswered": {"verdict": "unsupported", "reason": "no such hook"}},
    ],
)
def test_what_was_not_observed_to_its_end_is_performed_again(
    said: dict[str, object], api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever kept it from that may be gone."""
    lab, log = Lab(api), Log(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    index = msgspec.json.decode((into / INDEX).read_bytes())
    scenarios = [{**index["scenarios"][0], **said}]
    files = reindexed(read_tree(into), scenarios=scenarios)
    write_tree(files, into)
    log.taken()
    with opened(lab, tmp_path / "second") as (live, _):
        renewing = Renewing(live, into)
        renewing.observe(guard(), {}, tuple(ACTS), "guard")
        renewing.write(into)
    assert len(log.taken()) == len(tuple(ACTS))
    (record,) = open_recording(into).index.scenarios
    assert (record.heard_to_the_end, record.unanswered) == (True, None)


def test_a_stream_that_was_cut_off_is_performed_again(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt between the last act and the sentinel leaves all acts, of which nothing can be known."""
    lab, log = Lab(api), Log(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    files = read_tree(into)
    acts = [act for act in msgspec.json.decode(files["scenarios/guard/acts.json"]) if act["role"] != "sentinel-end"]
    index = msgspec.json.decode(files[INDEX])
    index["scenarios"][0]["heard_to_the_end"] = None
    cut = {"scenarios/guard/acts.json": msgspec.json.encode(acts), INDEX: msgspec.json.encode(index)}
    write_tree(sealed({**files, **cut}), into)
    log.taken()
    with opened(lab, tmp_path / "second") as (live, _):
        Renewing(live, into).observe(guard(), {}, tuple(ACTS), "guard")
    assert len(log.taken()) == len(tuple(ACTS))


def test_what_lacks_the_agents_last_word_is_performed_again(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is lost after the last sentinel leaves a stream that was heard, of which nobody says more."""
    lab, log = Lab(api), Log(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    files = read_tree(into)
    (into / "scenarios/guard/state-after.json").unlink()
    write_tree(sealed({path: body for path, body in files.items() if "state-after" not in path}), into)
    log.taken()
    with opened(lab, tmp_path / "second") as (live, _):
        Renewing(live, into).observe(guard(), {}, tuple(ACTS), "guard")
    assert len(log.taken()) == len(tuple(ACTS))


@pytest.mark.parametrize("backwards", [False, True])
def test_one_node_that_lacks_something_has_all_performed(
    backwards: bool, api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy is applied once, for all nodes; both scenarios are of the same run then."""
    lab, log = Lab(api, (NODE, SECOND)), Log(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    files = {path: body for path, body in read_tree(into).items() if f"scenarios/guard@{SECOND}/" not in path}
    index = msgspec.json.decode(files[INDEX])
    kept = [one for one in index["scenarios"] if one["name"] == f"guard@{NODE}"]
    files = reindexed(files, scenarios=kept)
    for path in read_tree(into).keys() - files.keys():
        (into / path).unlink()
    write_tree(files, into)
    log.taken()
    with opened(lab, tmp_path / "second") as (live, _):
        renewing = Renewing(live, into)
        assert set(renewing.scenarios("guard", guard(), {})) == {f"guard@{NODE}", f"guard@{SECOND}"}
        for scenario in sorted(renewing.scenarios("guard", guard(), {}), reverse=backwards):
            renewing.observe(guard(), {}, tuple(ACTS), scenario)
        renewing.write(into)
    assert len(log.taken()) == 2 * len(tuple(ACTS))
    assert renewing.kept == []
    started = {one.name: one.started for one in open_recording(into).index.scenarios}
    assert started.keys() == {f"guard@{NODE}", f"guard@{SECOND}"}
    assert started[f"guard@{NODE}"] != kept[0]["started"]


def test_a_recording_of_another_world_is_refused(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is performed."""
    lab, log = Lab(api), Log(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    index = msgspec.json.decode((into / INDEX).read_bytes())
    write_tree(reindexed(read_tree(into), cell={**index["cell"], "kernel": "6.1"}), into)
    log.taken()
    with (
        opened(lab, tmp_path / "second") as (live, _),
        pytest.raises(RecordingError, match=r"into was recorded with the kernel 6\.1, and this run has "),
    ):
        Renewing(live, into)
    assert log.taken() == []


def test_it_says_of_the_place_what_the_live_target_says(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that it adds to a recording."""
    lab = Lab(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    with opened(lab, tmp_path / "second") as (live, _):
        renewing = Renewing(live, into)
        said = (renewing.kind, renewing.cell, renewing.bindings, renewing.nodes, renewing.account)
        assert said == (live.kind, live.cell, live.bindings, live.nodes, live.account)
        *lines, last = renewing.introduction()
        assert lines == list(live.introduction())
        assert last == "adding to the recording into what it does not have yet"
        inventory = renewing.look().inventory
        assert inventory
        assert inventory == live.look().inventory


def test_a_change_that_is_recorded_is_not_made_again(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not is the live target's."""
    lab = Lab(api)
    into = recorded(lab, tmp_path, monkeypatch=monkeypatch)
    shipped = open_recording(CHANGED)
    (record,) = [one for one in shipped.index.scenarios if one.change == "rollout-restart"]
    inside = f"scenarios/{record.name}/"
    files = {**read_tree(into), **{path: body for path, body in shipped.files.items() if path.startswith(inside)}}
    index = msgspec.json.decode(files[INDEX])
    write_tree(reindexed(files, scenarios=[*index["scenarios"], msgspec.to_builtins(record)]), into)
    policy = parse(shipped.text(f"{inside}policy.yaml") or "", "policy.yaml")
    with opened(lab, tmp_path / "second") as (live, _):
        renewing = Renewing(live, into)
        assert isinstance(renewing, Changing)
        assert list(renewing.changes("upgrade", policy)) == ["upgrade"]
        observed = renewing.observe_change("rollout-restart", policy, record.name)
        assert renewing.kept == [record.name]
        assert observed.continuity
        assert observed.continuity.pulses == shipped.continuity(record.name).pulses
        with pytest.raises(Unanswerable, match="not ours to change"):
            renewing.observe_change("upgrade", policy, "upgrade")


# a whole run, as a user starts it


def suite(policy: str, file: str, other: str) -> str:
    """A suite about a policy that guards a file."""
    return SUITE.replace('policy("guard")', f'policy("{policy}")').replace(GUARDED, file).replace("/tmp/other", other)


def manifest(name: str, file: str) -> str:
    return POLICY.replace("name: guard", f"name: {name}").replace(GUARDED, file)


FIRST = {
    "suites/test_first.py": suite("first", "/tmp/first", "/tmp/one"),
    "suites/test_third.py": suite("third", "/tmp/third", "/tmp/three"),
    "policies/first.yaml": manifest("first", "/tmp/first"),
    "policies/third.yaml": manifest("third", "/tmp/third"),
    "workloads/all.yaml": WORKLOADS,
    "tetraproof.toml": "",
}
#: One policy more, and one act that changed.
LATER = {
    **FIRST,
    "suites/test_second.py": suite("second", "/tmp/second", "/tmp/two"),
    "policies/second.yaml": manifest("second", "/tmp/second"),
    "suites/test_third.py": suite("third", "/tmp/third", "/tmp/3"),
}


def start(api: ApiServer, folder: Path, *line: str) -> subprocess.Popen[str]:
    """A command in the project's folder, as it is typed."""
    words = line or ("tetraproof", "record", "--into", "recordings/mine", "--target", "cluster", "--context", CONTEXT)
    return subprocess.Popen(
        [*words, "-p", "no:hypothesispytest"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(api.kubeconfig(folder / "users/config")),
            "COLUMNS": "160",
        },
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=240)
    return process.returncode, output


def verdicts(folder: Path) -> dict[str, tuple[str, list[tuple[str, str | None]]]]:
    """What the last run of a project came to."""
    last = max((path for path in (folder / "reports").iterdir()), key=lambda path: path.stat().st_mtime)
    return {
        one.name: (one.verdict, [(claim.name, claim.verdict) for claim in one.claims]) for one in read(last).policies
    }


def test_a_second_run_performs_what_is_new_and_what_changed(api: ApiServer, tmp_path: Path) -> None:
    """One policy more and one act that changed; the rest stays byte for byte, and all of it replays the same."""
    lab, log = Lab(api), Log(api)
    folder = write_tree(FIRST, tmp_path / "project")
    code, output = end(start(api, folder))
    assert code == 0, output
    assert len(log.taken()) == 6
    into = folder / "recordings/mine"
    (into / "expected.json").write_text("{}", encoding="utf-8")
    before = read_tree(into)

    write_tree(LATER, folder)
    code, output = end(start(api, folder))
    assert code == 0, output
    scripts = [script for _, script in log.taken()]
    assert scripts == sorted(
        [
            *("rm -f /tmp/second", "echo foo > /tmp/two", "echo foo > /tmp/second"),
            *("rm -f /tmp/third", "echo foo > /tmp/3", "echo foo > /tmp/third"),
        ]
    )
    after = read_tree(into)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    assert {path.split("/")[1] for path in changed if "/" in path} == {"second", "third"}
    assert {path for path in changed if "/" not in path} == {INDEX, SUMS}
    live = verdicts(folder)
    assert {name: verdict for name, (verdict, _) in live.items()} == dict.fromkeys(
        ["first", "second", "third"], "conforms"
    )
    assert lab.agents()

    (into / "expected.json").unlink()
    code, output = end(start(api, folder, "tetraproof", "test", "--target", "replay"))
    assert code == 0, output
    assert log.taken() == []
    assert verdicts(folder) == live


def test_the_line_that_records_can_be_pasted(api: ApiServer, tmp_path: Path) -> None:
    """A policy that is not in a cluster's recording: what is printed adds it, once the context is filled in."""
    Lab(api)
    log = Log(api)
    folder = write_tree(FIRST, tmp_path / "project")
    assert end(start(api, folder))[0] == 0
    write_tree(LATER, folder)
    log.taken()
    code, output = end(start(api, folder, "tetraproof", "test", "--target", "replay"))
    assert log.taken() == []
    (line,) = re.findall(r"^ *to record: (.+)$", output, re.MULTILINE)
    assert line == "tetraproof test --target cluster --context … --into recordings/mine"
    code, output = end(start(api, folder, *line.replace("…", CONTEXT).split()))
    assert code == 0, output
    code, output = end(start(api, folder, "tetraproof", "test", "--target", "replay"))
    assert code == 0, output
    assert "not recorded" not in output


def test_a_run_that_is_interrupted_leaves_what_was_recorded(api: ApiServer, tmp_path: Path) -> None:
    """Of a scenario that it was renewing; what it saw of it so far is among the reports."""
    lab = Lab(api)
    folder = write_tree(FIRST, tmp_path / "project")
    assert end(start(api, folder))[0] == 0
    before, objects = read_tree(folder / "recordings/mine"), api.snapshot()
    running: list[subprocess.Popen[str]] = []
    lab.plays["> /tmp/third"] = playing(lambda: running[0].send_signal(signal.SIGINT), lab.act)
    # it comes before the one that is new
    write_tree({**LATER, "suites/test_z.py": LATER["suites/test_second.py"]}, folder)
    (folder / "suites/test_second.py").unlink()
    running.append(start(api, folder))
    code, output = end(running[0])
    assert code == 2, output
    assert read_tree(folder / "recordings/mine") == before
    assert api.snapshot() == objects
    (partial,) = folder.glob("reports/*/recording")
    assert [act.id for act in open_recording(partial).acts("third") if act.role == "act"]


def test_a_folder_that_is_no_recording_is_told_before_anything_is_made(api: ApiServer, tmp_path: Path) -> None:
    """Or one that is damaged: nothing is asked of the cluster."""
    Lab(api)
    asked: list[object] = []
    api.faults.append(asked.append)
    folder = write_tree({**FIRST, "recordings/mine/notes.txt": "mine"}, tmp_path / "project")
    code, output = end(start(api, folder))
    assert code == 2
    assert "mine is no recording: recording.json is missing." in output
    assert asked == []


def test_a_recording_of_another_cell_is_told(api: ApiServer, tmp_path: Path) -> None:
    """With exit code 2; nothing is performed, and nothing is left behind."""
    Lab(api)
    log, before = Log(api), api.snapshot()
    folder = write_tree(FIRST, tmp_path / "project")
    write_tree(read_tree(NEWEST), folder / "recordings/mine")
    code, output = end(start(api, folder))
    assert code == 2, output
    assert "mine was recorded with " in output
    assert "a folder of its own" in output
    assert "Traceback" not in output
    assert log.taken() == []
    assert api.snapshot() == before


def test_an_empty_folder_holds_no_recording_yet(api: ApiServer, tmp_path: Path) -> None:
    """The first run makes it there."""
    Lab(api)
    folder = write_tree(FIRST, tmp_path / "project")
    (folder / "recordings/mine").mkdir(parents=True)
    code, output = end(start(api, folder))
    assert code == 0, output
    assert [one.name for one in open_recording(folder / "recordings/mine").index.scenarios] == ["first", "third"]


def test_a_target_is_closed_where_pytest_ends_before_its_session(api: ApiServer, tmp_path: Path) -> None:
    """A conftest that refuses to be configured leaves nothing on the cluster."""
    Lab(api)
    before = api.snapshot()
    refusing = "import pytest\n\n\ndef pytest_configure(config):\n    raise pytest.UsageError('not like this')\n"
    folder = write_tree({**FIRST, "suites/conftest.py": refusing}, tmp_path / "project")
    code, output = end(start(api, folder))
    assert code == 4, output
    assert "not like this" in output
    assert "acting on " not in output
    assert api.snapshot() == before
    assert not list(folder.glob("reports/**/kubeconfig"))


def test_record_needs_to_know_where_to(tmp_path: Path) -> None:
    """In a sentence."""
    with ApiServer() as api:
        code, output = end(start(api, write_tree(FIRST, tmp_path / "project"), "tetraproof", "record"))
    assert code == 2
    assert "tetraproof record needs to know where to." in output
    assert "--into recordings/mine adds to that recording" in output


def test_only_one_of_two_destinations_is_taken(api: ApiServer, tmp_path: Path) -> None:
    """Before anything is asked of the cluster."""
    folder = write_tree(FIRST, tmp_path / "project")
    words = ("tetraproof", "record", "--into", "a", "--record", "b", "--target", "cluster", "--context", CONTEXT)
    code, output = end(start(api, folder, *words))
    assert code == 2
    assert "--record makes a recording and --into adds to one." in output
