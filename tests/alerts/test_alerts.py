"""Each alert's filter, held against recorded export lines as Cloud Logging keeps them.

What a filter should select is said a second time here, in plain Python on the raw lines, and for some scenarios as a
number counted by hand.
"""

import json
from pathlib import Path

import pytest

from tests.alerts import alert
from tests.alerts.alert import AlertError
from tests.alerts.log_entry import Origin
from tests.alerts.logging_filter import FilterError

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "manifests/alerts"
POLICIES, METRICS = alert.policies(MANIFESTS), alert.metrics(MANIFESTS)
#: Of clusters: an agent without Kubernetes names no pod, and its log goes to no cloud.
LOGS = sorted((ROOT / "recordings").glob("k8s-*/scenarios/*/export.jsonl"))
V14, V14_OFF, V17 = (
    "k8s-1.36.2_tetragon-1.4.1_debian-6.12.117",
    "k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117",
    "k8s-1.36.2_tetragon-1.7.0_debian-6.12.117",
)


def _told(line, kind):
    """The event of this kind that a line is; empty where it is another, or no event."""
    try:
        return json.loads(line).get(kind) or {}
    except ValueError:
        return {}


#: What each alert is about, said without the query language.
SHOULD = {
    "process-killed": lambda line: (
        _told(line, "process_exit").get("signal") == "SIGKILL" and "pod" in _told(line, "process_exit")["process"]
    ),
    "egress-blocked": lambda line: (
        _told(line, "process_kprobe").get("policy_name") == "block-internet-egress"
        and _told(line, "process_kprobe")["function_name"] == "tcp_connect"
        and _told(line, "process_kprobe")["action"] == "KPROBE_ACTION_SIGKILL"
    ),
    "privileged-exec": lambda line: (
        _told(line, "process_kprobe").get("policy_name", "").startswith("privileged-exec")
        and _told(line, "process_kprobe")["function_name"] == "security_bprm_creds_from_file"
    ),
    "privileged-container-exec": lambda line: (
        "CAP_SYS_ADMIN" in _told(line, "process_exec").get("process", {}).get("cap", {}).get("effective", ())
    ),
}
#: How many lines of a scenario each alert selects, counted by hand; an alert that is not named selects none.
COUNTED = {
    (V17, "block-fd-install"): {"process-killed": 8},
    (V17, "block-fd-install-monitor"): {},
    (V17, "block-internet-egress"): {"process-killed": 5, "egress-blocked": 5},
    (V17, "privileged-exec"): {"privileged-exec": 1},
    (V17, "process-cred"): {"privileged-container-exec": 1},
    (V17, "baseline"): {},
    (V17, "log-tcp-connection"): {},
    (V14_OFF, "block-fd-install"): {"process-killed": 6},
    (V14_OFF, "block-internet-egress"): {"process-killed": 5, "egress-blocked": 5},
    (V14_OFF, "process-cred"): {},
    (V14, "block-fd-install"): {},
    (V14, "block-internet-egress"): {},
}


def lines_of(recording, scenario):
    return (ROOT / "recordings" / recording / "scenarios" / scenario / "export.jsonl").read_text().splitlines()


def test_every_alert_on_a_log_is_told_here():
    assert {name for name, one in POLICIES.items() if one.filter} == set(SHOULD)


@pytest.mark.parametrize("name", SHOULD)
def test_selects_the_lines_that_it_should_and_no_other(name):
    selected = 0
    for log in LOGS:
        lines = log.read_text().splitlines()
        found = POLICIES[name].selects(lines)
        assert found == [at for at, line in enumerate(lines) if SHOULD[name](line)], log
        selected += len(found)
    assert selected, f"no shipped line is one that {name} should select, so nothing was proven"


@pytest.mark.parametrize(("recording", "scenario"), COUNTED, ids=lambda value: value.replace("k8s-1.36.2_", ""))
def test_selects_as_many_as_were_counted_by_hand(recording, scenario):
    lines = lines_of(recording, scenario)
    assert lines
    found = {name: len(one.selects(lines)) for name, one in POLICIES.items()}
    assert {name: count for name, count in found.items() if count} == COUNTED[recording, scenario]


def test_a_monitored_kill_is_no_kill_though_its_event_says_so():
    lines = lines_of(V17, "block-fd-install-monitor")
    assert any(_told(line, "process_kprobe").get("action") == "KPROBE_ACTION_SIGKILL" for line in lines)
    assert POLICIES["process-killed"].selects(lines) == []


def test_a_privileged_exec_by_kubectl_exec_itself_is_not_seen():
    """One of the two acts is shown: docs/findings.md, old-image-hides-the-event."""
    acts = json.loads((ROOT / "recordings" / V17 / "scenarios/privileged-exec/acts.json").read_text())
    assert [act["id"] for act in acts if "passwd" in " ".join(act["argv"])] == ["setuid", "setuid-by-shell"]
    lines = lines_of(V17, "privileged-exec")
    (at,) = POLICIES["privileged-exec"].selects(lines)
    assert _told(lines[at], "process_kprobe")["process"]["binary"] == "/usr/bin/bash"


def test_a_line_that_is_no_json_is_selected_by_nothing():
    lines = [line for line in lines_of(V17, "privileged-exec") if line.startswith("tail: ")]
    assert len(lines) == 1
    assert not any(one.selects(lines) for one in (*POLICIES.values(), *METRICS.values()))


def test_the_lines_of_another_container_are_selected_by_nothing():
    """Whoever prints what looks like an event in a container of another name raises no alert."""
    lines = lines_of(V17, "block-internet-egress")
    for one in (*POLICIES.values(), *METRICS.values()):
        assert one.selects(lines, Origin(container="curl", namespace="galaxy")) == []


def test_the_metric_of_exported_lines_counts_every_event():
    for log in LOGS:
        lines = log.read_text().splitlines()
        events = [at for at, line in enumerate(lines) if line.startswith("{")]
        assert METRICS["exported-lines"].selects(lines) == events


def test_each_alert_on_a_log_has_a_metric_with_the_same_filter():
    """So what is counted is what is alerted on."""
    alerts = {name: one.filter.text for name, one in POLICIES.items() if one.filter}
    metrics = {name: one.filter.text for name, one in METRICS.items() if name != "exported-lines"}
    assert metrics == alerts


@pytest.mark.parametrize(
    ("name", "said", "instead"),
    [
        ("process-killed", "process_exit.signal", "process_exit.signals"),
        ("process-killed", '"SIGKILL"', '"SIGTERM"'),
        ("process-killed", 'process_exit.signal="SIGKILL"', "process_exit.signal!~SIGX"),
        ("egress-blocked", '"tcp_connect"', '"tcp_sendmsg"'),
        ("egress-blocked", '"block-internet-egress"', '"block-egress"'),
        ("egress-blocked", '"KPROBE_ACTION_SIGKILL"', '"SIGKILL"'),
        ("privileged-exec", '("privileged-exec" OR', '("privileged-execs" OR'),
        ("privileged-exec", '"security_bprm_creds_from_file"', '"security_bprm_creds"'),
        ("privileged-container-exec", '"CAP_SYS_ADMIN"', '"SYS_ADMIN"'),
        ("privileged-container-exec", '="CAP_SYS_ADMIN"', ':"CAP"'),
        ("privileged-container-exec", "cap.effective", "cap.inheritable"),
    ],
)
def test_a_filter_that_says_something_else_selects_something_else(name, said, instead, tmp_path):
    """The checks above can fail: each filter, changed in one place."""
    folder = tmp_path / alert.POLICIES
    folder.mkdir()
    text = (MANIFESTS / alert.POLICIES / f"{name}.yaml").read_text()
    assert said in text
    (folder / f"{name}.yaml").write_text(text.replace(said, instead))
    try:
        changed = alert.policies(tmp_path)[name]
    except FilterError:
        return
    logs = [log.read_text().splitlines() for log in LOGS]
    assert [changed.selects(lines) for lines in logs] != [POLICIES[name].selects(lines) for lines in logs]


def test_google_s_own_types_accept_the_alert_policies():
    monitoring = pytest.importorskip("google.cloud.monitoring_v3", reason="google-cloud-monitoring is not installed")
    json_format = pytest.importorskip("google.protobuf.json_format")
    for name, one in POLICIES.items():
        message = json_format.ParseDict(one.manifest, monitoring.AlertPolicy.pb()())
        assert message.display_name
        assert message.combiner == monitoring.AlertPolicy.ConditionCombinerType.OR
        assert all(condition.WhichOneof("condition") for condition in message.conditions), name
        if one.filter:  # Cloud Monitoring refuses such a policy without it
            assert message.alert_strategy.notification_rate_limit.period.seconds


def test_google_s_own_types_accept_the_metrics():
    types = pytest.importorskip("google.cloud.logging_v2.types", reason="google-cloud-logging is not installed")
    json_format = pytest.importorskip("google.protobuf.json_format")
    for name, one in METRICS.items():
        message = json_format.ParseDict(one.manifest, types.LogMetric.pb()())
        assert {label.key for label in message.metric_descriptor.labels} == set(message.label_extractors), name


def test_the_alert_on_silence_watches_the_metric_that_is_there():
    silent = POLICIES["agent-silent"]
    assert silent.filter is None
    assert silent.selects(["{}"]) == []
    watched = {
        body["filter"].partition('metric.type="')[2].partition('"')[0]
        for condition in silent.manifest["conditions"]
        for body in condition.values()
        if isinstance(body, dict)
    }
    assert watched == {"logging.googleapis.com/user/tetragon-exported-lines"}
    assert "--config-from-file" in (MANIFESTS / alert.METRICS / "exported-lines.yaml").read_text().splitlines()[1]


@pytest.mark.parametrize(
    ("folder", "text", "told"),
    [
        (alert.POLICIES, "displayName: x", "it has no conditions"),
        (alert.POLICIES, "[", "is no YAML"),
        (alert.POLICIES, "- x", "holds a list"),
        (
            alert.POLICIES,
            'conditions: [{conditionMatchedLog: {filter: severity="INFO"}}, {conditionAbsent: {}}]',
            "has other conditions",
        ),
        (alert.METRICS, "description: x", "it has no filter"),
    ],
)
def test_bad_files_are_told(folder, text, told, tmp_path):
    for one in (alert.POLICIES, alert.METRICS):
        (tmp_path / one).mkdir()
    (tmp_path / folder / "x.yaml").write_text(text)
    with pytest.raises(AlertError, match=told):
        (alert.policies if folder == alert.POLICIES else alert.metrics)(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(AlertError, match="There is no folder"):
        alert.policies(tmp_path)
