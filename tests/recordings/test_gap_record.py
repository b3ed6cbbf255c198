"""Raw records of a change, and what a recording makes of them."""

import json
from pathlib import Path

import pytest

from tests.builders import write_tree
from tetraproof.errors import RawRecordError, RecordingError
from tetraproof.observing import gap
from tetraproof.policies.policy import load
from tetraproof.recordings import gap_record
from tetraproof.recordings.conversion import convert
from tetraproof.recordings.recording import INDEX, from_files, open_recording, sealed
from tetraproof.targets import Changing, Unanswerable
from tetraproof.targets.replay import Replay

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "recordings/k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117"
POLICY = load(ROOT / "manifests/policies/block-fd-install.yaml")
LOG = [
    {"time": "2026-11-23T07:12:59+00:00", "what": "enabled"},
    {"time": "2026-11-23T07:13:13+00:00", "what": "change begins", "command": "helm upgrade tetragon"},
    {"time": "2026-11-23T07:13:14+00:00", "what": "change returned", "out": "upgraded\nNOTES: none\n"},
    {"time": "2026-11-23T07:13:36+00:00", "what": "rollout status", "out": "Waiting …\nsuccessfully rolled out\n"},
    {"time": "2026-11-23T07:13:42+00:00", "what": "policy state", "state": "TP_STATE_LOADING"},
    {"time": "2026-11-23T07:15:35+00:00", "what": "acts ended", "err": ""},
]
PODS = [
    {"time": "2026-11-23T07:13:01+00:00", "pod": "t-1", "phase": "Running", "ready": {"a": True, "b": True}},
    {"time": "2026-11-23T07:13:13.5+00:00", "pod": "t-1", "phase": "Running", "deleting": "x", "ready": {"a": True}},
    {"time": "2026-11-23T07:13:14.5+00:00", "pod": "t-1", "phase": "Failed", "type": "DELETED"},
    {"time": "2026-11-23T07:13:15+00:00", "pod": "t-2", "phase": "Pending", "ready": {}},
]
ACTS = """\
1795417982.5 1795417982.6 137
1795418021.4 1795418021.6 0
1795418100.7 1795418100.8 137
1795418101 1795418102 -
"""


def raw(tmp_path, **changed):
    files = {
        "environment/node.json": json.dumps({"metadata": {"name": "n1"}}),
        "gap-upgrade-1-to-2/acts.txt": ACTS,
        "gap-upgrade-1-to-2/log.json": json.dumps(LOG),
        "gap-upgrade-1-to-2/pods-watch.txt": "\n".join(json.dumps(pod) for pod in PODS),
        "gap-upgrade-1-to-2/policy.yaml": POLICY.text,
        **{f"gap-upgrade-1-to-2/{name.replace('_', '.')}": text for name, text in changed.items()},
    }
    return write_tree({name: text for name, text in files.items() if text is not None}, tmp_path / "raw")


def test_the_record_is_read_as_it_was_made(tmp_path):
    told = gap_record.read(raw(tmp_path) / "gap-upgrade-1-to-2", "n1")
    assert (told.change, told.command) == ("upgrade", "helm upgrade tetragon")
    (pulse,) = told.pulses
    assert (pulse.node, [beat.outcome for beat in pulse.beats]) == (
        "n1",
        ["enforced", "allowed", "enforced", "unknown"],
    )
    assert [(one.what, one.said) for one in told.happenings] == [
        ("enabled", ""),
        ("pod", "t-1 running, ready"),
        ("change begins", "helm upgrade tetragon"),
        ("pod", "t-1 terminating"),
        ("change returned", "upgraded"),
        ("pod", "t-1 gone"),
        ("pod", "t-2 pending"),
        ("rolled out", "successfully rolled out"),
        ("policy state", "loading"),
        ("acts ended", ""),
    ]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("gap-rollout-restart", "rollout-restart"),
        ("gap-upgrade-1.4.1-to-1.7.0", "upgrade"),
        ("gap-upgrades", "upgrades"),
        ("gap-something-else", "something-else"),
    ],
)
def test_the_folder_s_name_says_what_was_changed(name, change):
    assert gap_record.change_of(name) == change


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"acts_txt": "1 2\n"}, "acts.txt, line 1 is no act: '1 2'"),
        ({"acts_txt": "1 2 137\n1 2 killed\n"}, "acts.txt, line 2 is no act"),
        ({"acts_txt": "1 nan 137\n"}, "acts.txt, line 1 is no act"),
        ({"acts_txt": "1 inf 137\n"}, "acts.txt, line 1 is no act"),
        ({"acts_txt": "1 2 256\n"}, "acts.txt, line 1 is no act"),
        ({"acts_txt": "1 2 -1\n"}, "acts.txt, line 1 is no act"),
        ({"acts_txt": "1 2 137 0 0\n"}, "acts.txt, line 1 is no act"),
        ({"log_json": '[{"what": "x", "time": "2026-11-23T07:12:59"}]'}, "has no time zone"),
        ({"log_json": "{}"}, "Expected `array`, got `object`"),
        ({"log_json": '[{"what": "x"}]'}, "log.json: Object missing required field `time` - at `$[0]`"),
        ({"log_json": '[{"what": "x", "time": "soon"}]'}, "log.json, entry 0"),
        ({"policy_yaml": None}, "has no policy.yaml"),
    ],
)
def test_a_slip_is_told_with_its_place(changed, told, tmp_path):
    with pytest.raises(RawRecordError) as caught:
        convert(raw(tmp_path, **changed))
    assert told in str(caught.value)


def test_a_slip_in_the_pods_is_told_with_its_line(tmp_path):
    folder = raw(tmp_path) / "gap-upgrade-1-to-2"
    (folder / "pods-watch.txt").write_text('{"pod": "x"}\n')
    with pytest.raises(RawRecordError, match="line 1: Object missing required field `time`"):
        gap_record.read(folder, "n1")


def test_without_a_log_the_acts_are_there_all_the_same(tmp_path):
    folder = raw(tmp_path, log_json=None) / "gap-upgrade-1-to-2"
    (folder / "pods-watch.txt").unlink()
    told = gap_record.read(folder, "n1")
    assert (told.command, told.happenings) == ("", ())
    assert len(told.pulses[0].beats) == 4


def test_what_the_twin_of_an_act_did_is_read_where_it_is_there(tmp_path):
    folder = raw(tmp_path, acts_txt="1 2 137 0\n3 4 0 -\n5 6 137\n") / "gap-upgrade-1-to-2"
    assert [beat.control for beat in gap_record.read(folder, "n1").pulses[0].beats] == [0, None, None]


def test_a_roll_out_that_did_not_end_well_is_not_done(tmp_path):
    log = [dict(entry, out="error: timed out") if entry["what"] == "rollout status" else entry for entry in LOG]
    told = gap_record.read(raw(tmp_path, log_json=json.dumps(log)) / "gap-upgrade-1-to-2", "n1")
    assert told.first(gap.ROLLED_OUT) is None
    assert told.first("rollout status").said == "error: timed out"


def test_it_becomes_a_scenario_of_a_recording(tmp_path):
    made = from_files("made", sealed(convert(raw(tmp_path))))
    (record,) = made.index.scenarios
    assert (record.name, record.change, record.policy) == ("gap-upgrade-1-to-2", "upgrade", True)
    assert record.started == "2026-11-23T07:12:59+00:00"
    assert made.continuity(record.name) == gap_record.read(tmp_path / "raw/gap-upgrade-1-to-2", "n1")
    assert made.acts(record.name) == ()


@pytest.mark.parametrize("file", ["continuity.json", "policy.yaml"])
def test_a_change_that_lacks_a_file_is_no_recording(file, tmp_path):
    files = convert(raw(tmp_path))
    del files[f"scenarios/gap-upgrade-1-to-2/{file}"]
    with pytest.raises(RecordingError, match=f"{file} is missing"):
        from_files("made", sealed(files))


def test_a_bad_field_is_told_when_the_recording_is_opened(tmp_path):
    files = convert(raw(tmp_path))
    files["scenarios/gap-upgrade-1-to-2/continuity.json"] = b'{"change": 1}'
    with pytest.raises(RecordingError, match=r"continuity.json: Expected `str`, got `int`"):
        from_files("made", sealed(files))


def test_replay_answers_for_the_change_under_this_very_policy(tmp_path):
    replay = Replay(from_files("made", sealed(convert(raw(tmp_path)))))
    assert isinstance(replay, Changing)
    assert replay.changes("upgrade", POLICY) == ["gap-upgrade-1-to-2"]
    assert replay.changes("rollout-restart", POLICY) == []
    observed = replay.observe_change("upgrade", POLICY, "gap-upgrade-1-to-2")
    assert observed.continuity == gap_record.read(tmp_path / "raw/gap-upgrade-1-to-2", "n1")
    assert [(state.node, state.state) for state in observed.states] == [("n1", "enabled")]
    assert any("exit code alone" in note for note in observed.notes)


def test_a_change_answers_for_no_acts(tmp_path):
    """The suite of the same policy must not take the scenario for one of its own."""
    replay = Replay(from_files("made", sealed(convert(raw(tmp_path)))))
    assert replay.scenarios("block-fd-install", POLICY, {}) == []
    assert replay.scenarios("baseline", None, {}) == []


def test_what_was_not_recorded_is_told(tmp_path):
    replay = Replay(from_files("made", sealed(convert(raw(tmp_path)))))
    other = load(ROOT / "manifests/policies/block-internet-egress.yaml")
    with pytest.raises(Unanswerable, match="the recording has no rollback"):
        replay.observe_change("rollback", POLICY, "")
    with pytest.raises(Unanswerable, match="in gap-upgrade-1-to-2 another policy was in force than block-internet"):
        replay.observe_change("upgrade", other, "")


def with_nodes(files, *names):
    """The files, of a recording that knows more nodes."""
    index = json.loads(files[INDEX])
    index["nodes"] = [{**index["nodes"][0], "name": name} for name in names]
    return {**files, INDEX: json.dumps(index).encode()}


def told_of(files, **changed):
    """The files, with fields of the change put otherwise; left out where nothing is said."""
    path = "scenarios/gap-upgrade-1-to-2/continuity.json"
    told = {**json.loads(files[path]), **changed}
    return {**files, path: json.dumps({name: value for name, value in told.items() if value is not None}).encode()}


@pytest.mark.parametrize(
    ("named", "nodes"),
    [(None, ("n1", "n2")), ([], ("n1", "n2")), (["n1"], ("n1",)), (["n2", "n1"], ("n2", "n1"))],
)
def test_a_node_that_the_recording_knows_must_have_been_watched(named, nodes, tmp_path):
    """Unless the run says on which it acted; an older recording does not."""
    files = told_of(with_nodes(convert(raw(tmp_path)), "n1", "n2"), nodes=named)
    observed = Replay(from_files("made", sealed(files))).observe_change("upgrade", POLICY, "gap-upgrade-1-to-2")
    assert observed.continuity.everywhere == nodes
    assert set(observed.capabilities) == set(nodes)


def test_a_policy_that_nobody_saw_enabled_has_no_state(tmp_path):
    log = json.dumps([entry for entry in LOG if entry["what"] != "enabled"])
    replay = Replay(from_files("made", sealed(convert(raw(tmp_path, log_json=log)))))
    assert replay.observe_change("upgrade", POLICY, "gap-upgrade-1-to-2").states == ()


@pytest.mark.parametrize(
    ("scenario", "milliseconds", "allowed", "early"),
    [
        ("gap-rollout-restart", (78762, 79518, 79640), 210, (81.06, 88.12)),
        ("gap-upgrade-1.4.1-to-1.7.0", (95297, 96308, 96676), 224, (63.32, 68.46)),
    ],
)
def test_the_shipped_records_measure_what_they_measure(scenario, milliseconds, allowed, early):
    """Reckoned once by hand from the raw lines around each gap."""
    told = open_recording(SHIPPED).continuity(scenario)
    (pulse,) = told.pulses
    (found,) = gap.gaps(pulse)
    assert (found.at_least, found.measured, found.at_most) == milliseconds
    assert len(found.allowed) == allowed
    assert (pulse.silences, pulse.fault) == ((), "")
    offset = gap.clock(told, pulse)
    # half of what is let through, so that a slower node is not taken for one that was not watched
    assert offset.high - offset.low < gap.LONGEST_AT_THE_ENDS / 2
    before = gap.early(told, pulse, told.first(gap.ROLLED_OUT))
    assert (before.low, before.high) == (pytest.approx(early[0], abs=0.01), pytest.approx(early[1], abs=0.01))
