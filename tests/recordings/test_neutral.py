"""A recording holds nothing of its maker's machine, and all that has a meaning as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.builders import RECORDINGS
from tests.clusters import POLICY
from tetraproof.errors import UsageError
from tetraproof.events.event import Event, parse
from tetraproof.policies.binding import Bindings
from tetraproof.recordings.discretion.neutral import HOME, RUN, WORK, Neutral, of_this_machine
from tetraproof.recordings.record import digest_of
from tetraproof.recordings.recorder import Recorder, as_json
from tetraproof.recordings.recording import (
    FORMAT,
    ActRecord,
    Cell,
    Index,
    NodeRecord,
    Provenance,
    ScenarioRecord,
    Unanswered,
    open_recording,
)

ALICE = "/home/alice"
PROJECT = "/home/alice/a project"
REPORTS = "/srv/reports/20261126-x"
NAMES = Neutral({ALICE: HOME, PROJECT: WORK, REPORTS: RUN, "/root": "/home/user", "/workspace": "/home/user"})
RUNTIME = {"cwd": PROJECT, "binary": "/usr/bin/crun", "arguments": f"--root {REPORTS}/live exec 4b86 true"}


def event(process: dict[str, Any], *args: str, parent: dict[str, Any] | None = None) -> bytes:
    body = {
        "process": {"exec_id": "x", "pid": 1, **process},
        "parent": {"exec_id": "y", "pid": 2, **(parent or RUNTIME)},
        "function_name": "fd_install",
        "args": [{"file_arg": {"path": path}} for path in args],
    }
    return json.dumps({"process_kprobe": body, "node_name": "n", "time": "2026-11-26T12:00:00Z"}).encode()


def line(content: bytes, *, argv: tuple[str, ...] = ("true",), policy: str = POLICY) -> Any:
    """A line of a stream as it is kept, of a scenario with an act and a policy."""
    acts = as_json([ActRecord("it", "other", "probe", argv, 0)])
    files = {"acts.json": acts, "events.jsonl": content + b"\n", "policy.yaml": policy.encode()}
    _, kept = NAMES.scenario(ScenarioRecord("it"), files)
    assert kept["events.jsonl"].endswith(b"\n")
    assert isinstance(parse(kept["events.jsonl"].strip()), Event)
    return json.loads(kept["events.jsonl"])["process_kprobe"]


def guarding(path: str, operator: str = "Equal") -> str:
    return POLICY.replace("/tmp/guarded", path).replace("operator: Equal", f"operator: {operator}")


def test_nothing_of_the_machine_stands_in_what_is_written(tmp_path: Path) -> None:
    """In no file: stream, export log, the agent's log and errors, states, acts, environment, index."""
    cell = Cell("1.7.0", "", "6.12", "standalone", f"btf={PROJECT}/b", digest_of({"btf": f"{PROJECT}/b"}))
    provenance = Provenance("2026-11-25T00:00:00Z", f"in {PROJECT}", "a test")
    index = Index(FORMAT, cell, provenance, (NodeRecord("n"),), Bindings(), {"btf": f"{PROJECT}/b"}, ())
    host = event({"binary": f"{ALICE}/bin/x", "cwd": REPORTS}, f"{ALICE}/notes", f"{PROJECT}/y")
    compact = f"🚀 process {ALICE}/bin/x --at {REPORTS}/export-0.jsonl\n".encode()
    log = json.dumps({"msg": f'open "{PROJECT}/x.o": no such file', "at": f"unix://{ALICE}/s"}).encode()
    state = {"n": [{"name": "guard", "state": "TP_STATE_LOAD_ERROR", "error": f"no {REPORTS}/x.o"}]}
    scenario = ScenarioRecord(
        "guard", notes=(f"{ALICE}: gone",), unanswered=Unanswered("inconclusive", f"{PROJECT}/x is not there")
    )
    files = {
        "events.jsonl": host + b"\n",
        "export.jsonl": host + b"\ntail: " + REPORTS.encode() + b"/x has been replaced\n",
        "events.compact.txt": compact,
        "agent.log": log,
        "state.json": as_json(state),
        "metrics-after.txt": f'x{{binary="{ALICE}/bin/x"}} 1\n'.encode(),
        "policy.yaml": POLICY.encode(),
        "acts.json": as_json([]),
    }
    recorder = Recorder("made", index, {"environment/workloads.json": as_json({"probe": f"{PROJECT}/w"})}, NAMES)
    recorder.add(scenario, files)
    recorder.write(tmp_path / "made")
    made = open_recording(tmp_path / "made")
    for path, content in made.files.items():
        for name in (b"alice", b"a project", b"20261126-x"):
            assert name not in content, path
    assert made.states("guard")["n"][0]["error"] == f"no {RUN}/x.o"
    assert made.text("scenarios/guard/agent.log") == json.dumps(
        {"msg": f'open "{WORK}/x.o": no such file', "at": f"unix://{HOME}/s"}
    )
    assert made.index.settings == {"btf": f"{WORK}/b"}
    assert made.index.cell.digest == digest_of(made.index.settings)
    assert made.index.scenarios[0].notes == (f"{HOME}: gone",)


def test_what_starts_a_container_is_renamed_and_what_runs_in_it_is_not() -> None:
    """In a container are other folders of the same name: what its process did, and where, stays as it was told."""
    told = line(event({"cwd": PROJECT, "docker": "4b86"}, f"{ALICE}/notes"))
    assert told["process"]["cwd"] == PROJECT
    assert told["args"] == [{"file_arg": {"path": f"{ALICE}/notes"}}]
    assert told["parent"]["cwd"] == WORK
    assert told["parent"]["arguments"] == f"--root {RUN}/live exec 4b86 true"
    told = line(event({"cwd": PROJECT, "pod": {"name": "probe"}}, parent={"cwd": ALICE, "docker": "4b86"}))
    assert (told["process"]["cwd"], told["parent"]["cwd"]) == (PROJECT, ALICE)


@pytest.mark.parametrize(
    ("path", "argv", "kept"),
    [
        (f"{ALICE}/notes", ("cat", f"{ALICE}/notes"), True),
        (f"{ALICE}/notes/of/today", ("sh", "-c", f"ls '{ALICE}/notes'"), True),
        (f"{ALICE}/notes", ("sh", "-c", f"cd {ALICE}; cat notes"), True),
        (f"{ALICE}/notes", ("cat", f"{ALICE}/other"), False),
        (f"{ALICE}/notes2", ("cat", f"{ALICE}/notes"), False),
        (f"{ALICE}/notes", ("ls", "/home"), False),
    ],
)
def test_a_path_that_an_act_speaks_of_is_kept(path: str, argv: tuple[str, ...], *, kept: bool) -> None:
    """With all that lies below it; whatever else stands in the folder is renamed."""
    told = line(event({"cwd": "/"}, path), argv=argv)
    expected = path if kept else path.replace(ALICE, HOME)
    assert told["args"] == [{"file_arg": {"path": expected}}]
    assert told["parent"]["arguments"] == f"--root {RUN}/live exec 4b86 true"


@pytest.mark.parametrize(
    ("path", "value", "operator", "kept"),
    [
        (f"{ALICE}/notes", f"{ALICE}/notes", "Equal", True),
        (f"{ALICE}/notes", f"{ALICE}/", "Prefix", True),
        (f"{ALICE}/notes", "/home/al", "Prefix", True),
        (f"{REPORTS}/notes", "/srv", "Prefix", True),
        (f"{ALICE}/notes", "alice/notes", "Postfix", True),
        (f"{ALICE}/notes", "/home", "Prefix", False),
        (f"{ALICE}/notes", "/notes", "Postfix", False),
        (f"{ALICE}/notes", "/tmp/notes", "Equal", False),
    ],
)
def test_a_path_that_the_policy_tells_apart_is_kept(path: str, value: str, operator: str, *, kept: bool) -> None:
    """Nobody who knows the policy could read another verdict from the other name."""
    told = line(event({"cwd": "/"}, path), policy=guarding(value, operator))
    expected = path if kept else path.replace(ALICE, HOME).replace(REPORTS, RUN)
    assert told["args"] == [{"file_arg": {"path": expected}}]


def test_an_act_is_what_it_was() -> None:
    """Its words and its output stay; what its runtime complains of is the machine's."""
    argv = ("cat", f"{ALICE}/notes")
    act = ActRecord("it", "other", "probe", argv, 1, stdin=ALICE, stdout=f"{ALICE}/x", stderr=f"crun: {PROJECT}: gone")
    _, kept = NAMES.scenario(ScenarioRecord("it"), {"acts.json": as_json([act])})
    (told,) = json.loads(kept["acts.json"])
    assert (tuple(told["argv"]), told["stdin"], told["stdout"]) == (argv, ALICE, f"{ALICE}/x")
    # the act speaks of the whole home, so whatever lies in it may be what it means
    assert told["stderr"] == f"crun: {PROJECT}: gone"
    silent = ActRecord("it", "other", "probe", ("true",), None, broken=f"{PROJECT}/x is gone", stderr=f"{ALICE}: no")
    _, kept = NAMES.scenario(ScenarioRecord("it"), {"acts.json": as_json([silent])})
    (told,) = json.loads(kept["acts.json"])
    assert (told["broken"], told["stderr"]) == (f"{WORK}/x is gone", f"{HOME}: no")


@pytest.mark.parametrize("folder", ["/root/notes", "/workspace/x", "/home/alice2/x", "/home/alice.bak/x", "/home/bob"])
def test_folders_of_many_machines_and_of_others_keep_their_names(folder: str) -> None:
    """`/root` tells nobody's name, and a folder whose name only begins alike is another one."""
    assert line(event({"cwd": folder}, folder))["process"]["cwd"] == folder


def test_lines_that_no_name_stands_in_are_kept_to_the_byte() -> None:
    """So are those that cannot be read: of these only the name is another one."""
    odd = b'{ "process_exec" : {"process":{"cwd":"/","arguments":"\\ud83d \xff"}} }'
    _, kept = NAMES.scenario(ScenarioRecord("it"), {"acts.json": b"[]", "events.jsonl": odd})
    assert kept["events.jsonl"] == odd
    cut = b'{"process_exec":{"process":{"cwd":"/home/alice/x'
    _, kept = NAMES.scenario(ScenarioRecord("it"), {"acts.json": b"[]", "events.jsonl": cut + b"\n" + odd})
    assert kept["events.jsonl"] == cut.replace(b"alice", b"user") + b"\n" + odd


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1).filter(lambda name: "/" not in name)
)
@example('quote"\\')
@example("<&>")
@example("\u00e9\u2028")
def test_a_folder_is_found_however_its_name_is_written(name: str) -> None:
    """With blanks, quotes and letters of any alphabet, as JSON writes them, ours and the agent's."""
    folder = f"/home/{name}"
    neutral = Neutral({folder: "/home/somebody-else"})
    forms = {json.dumps({"msg": folder}, ensure_ascii=ascii_only) for ascii_only in (False, True)}
    for escaped in list(forms):
        forms.add(escaped.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))
    for log in map(str.encode, forms):
        _, kept = neutral.scenario(ScenarioRecord("it"), {"acts.json": b"[]", "agent.log": log})
        assert json.loads(kept["agent.log"]) == {"msg": "/home/somebody-else"}


def test_a_shipped_recording_is_the_same_whoever_made_it() -> None:
    """Made by somebody else in other folders it would be this very one, to the byte."""
    folders = {WORK: "/home/alice/src/policies", RUN: "/mnt/big/reports/20261126-x"}
    shipped = open_recording(RECORDINGS / "standalone_tetragon-1.7.0_kprobe-override-6.12.117")
    neutral = Neutral({folder: name for name, folder in folders.items()})
    renamed = 0
    for record in shipped.index.scenarios:
        inside = f"scenarios/{record.name}/"
        own = {path.removeprefix(inside): body for path, body in shipped.files.items() if path.startswith(inside)}
        theirs = dict(own)
        for name in sorted(folders, key=len, reverse=True):
            theirs = {path: body.replace(name.encode(), folders[name].encode()) for path, body in theirs.items()}
        renamed += sum(theirs[path] != own[path] for path in own)
        assert neutral.scenario(record, theirs) == (record, own), record.name
    assert renamed > 30


def test_this_machine_is_known_by_where_we_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the way over a link as well; the folder inside of another is the one that is meant."""
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "reports").mkdir(parents=True)
    link.symlink_to(real)
    monkeypatch.chdir(link)
    monkeypatch.setenv("PWD", str(link))
    neutral = of_this_machine({RUN: link / "reports"})
    text = f"{real}/x {link}/x {real}/reports/y {link}/reports/y".encode()
    _, kept = neutral.scenario(ScenarioRecord("it"), {"acts.json": b"[]", "agent.log": text})
    assert kept["agent.log"].decode() == f"{WORK}/x {WORK}/x {RUN}/y {RUN}/y"


def test_what_is_converted_goes_by_neutral_names(tmp_path: Path) -> None:
    """Those of the machine that recorded are told; what is none is refused."""
    from tests.recordings.test_conversion import converted  # noqa: PLC0415 - its raw records
    from tetraproof.commands.recorded.convert import _named  # noqa: PLC0415
    from tetraproof.recordings.conversion import Choice  # noqa: PLC0415

    change = {"guard/agent.log": f"open {PROJECT}/x: no\n"}
    made = converted(tmp_path, change, choice=Choice(names=dict([_named(f"{PROJECT}/=/home/user/there")])))
    assert made.text("scenarios/guard/agent.log") == "open /home/user/there/x: no\n"
    with pytest.raises(UsageError, match="no folder and its name"):
        _named("alice")
