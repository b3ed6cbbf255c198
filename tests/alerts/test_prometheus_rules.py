"""The Prometheus rules, checked by the real promtool with series that were recorded.

An agent's metrics before a scenario, and after it: each series stands at its first value, and after five minutes at
its second; one that was not there before begins then. From there on nothing more happens.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "manifests/alerts/prometheus/tetragon.rules.yaml"
PROMTOOL = shutil.which("promtool")
V14, V14_OFF, V17 = (
    "k8s-1.36.2_tetragon-1.4.1_debian-6.12.117",
    "k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117",
    "k8s-1.36.2_tetragon-1.7.0_debian-6.12.117",
)
DROWNED = f"{V14_OFF}_unfiltered-stream"
#: What a scrape adds to every series.
SCRAPED = {"job": "tetragon", "instance": "tetra-node:2112"}
#: Minutes: the scenario is over at 5; at 8 that is fresh; at 20 it is long ago, and nothing has moved since.
AFTER, FRESH, LONG_AGO = 5, 8, 20

pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian's package prometheus)")

PROBE = {"namespace": "other", "pod": "probe"}
TIEFIGHTER = {"namespace": "galaxy", "pod": "tiefighter"}


def enforced(policy, binary, pod, name="TetragonPolicyEnforced"):
    return {"alertname": name, "policy": policy, "binary": binary, **pod, "instance": SCRAPED["instance"]}


def fd_install(*binaries):
    return [enforced("block-fd-install", f"/usr/bin/{binary}", PROBE) for binary in binaries]


def egress(*binaries):
    return [
        enforced("block-internet-egress", f"/usr/bin/{binary}", TIEFIGHTER, name)
        for binary in binaries
        for name in ("TetragonPolicyEnforced", "TetragonEgressBlocked")
    ]


def privileged(policy, *programs):
    return [enforced(policy, binary, pod, "TetragonPrivilegedExec") for binary, pod in programs]


#: By a shell in the pod, and by kubectl exec itself: the second has no pod, and no exported line shows it.
BOTH_WAYS = (("/usr/bin/bash", PROBE), ("/usr/sbin/runc", {}))
NOT_IN_FORCE = [{"alertname": "TetragonPolicyNotInForce", "state": "load_error", "instance": SCRAPED["instance"]}]

#: What fires while a scenario is fresh; what is not listed must not.
FIRES = {
    (V17, "block-fd-install"): fd_install("bash", "cat", "dd"),
    (V17, "block-fd-install-monitor"): [],
    (V17, "block-internet-egress"): egress("curl", "python3"),
    (V17, "privileged-exec"): privileged("privileged-exec", *BOTH_WAYS),
    (V17, "privileged-exec-with-nop"): privileged("privileged-exec-with-nop", *BOTH_WAYS),
    (V17, "log-tcp-connection"): [],
    (V17, "baseline"): [],
    (V17, "process-cred"): [],
    (V14_OFF, "block-fd-install"): fd_install("bash", "cat", "dd"),
    (V14_OFF, "block-internet-egress"): egress("curl", "python3"),
    (V14_OFF, "privileged-exec"): privileged("privileged-exec", *BOTH_WAYS),
    (V14_OFF, "baseline"): [],
    (V14, "block-fd-install"): NOT_IN_FORCE,
    (V14, "block-internet-egress"): NOT_IN_FORCE,
    (DROWNED, "log-tcp-connection-unfiltered"): [
        {"alertname": "TetragonFallsBehind", **SCRAPED},
        {"alertname": "TetragonLosesEvents", "instance": SCRAPED["instance"]},
    ],
}


def samples(recording, scenario, moment):
    text = (ROOT / "recordings" / recording / "scenarios" / scenario / f"metrics-{moment}.txt").read_text()
    return {
        (sample.name, tuple(sorted({**sample.labels, **SCRAPED}.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def written(name, labels):
    return f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in labels if value)}}}"


def series(recording, scenario):
    yield {"series": written("up", sorted(SCRAPED.items())), "values": f"1+0x{LONG_AGO}"}
    before, after = (samples(recording, scenario, moment) for moment in ("before", "after"))
    for (name, labels), value in after.items():
        earlier = before.get((name, labels))
        first = f"_x{AFTER - 1}" if earlier is None else f"{earlier:f}+0x{AFTER - 1}"
        yield {"series": written(name, labels), "values": f"{first} {value:f}+0x{LONG_AGO - AFTER}"}


def check(tmp_path, input_series, at, fires, rules=RULES):
    """What promtool says of it: whether exactly these alerts fire at that minute."""
    expected = [
        {"labels": written("ALERTS", sorted({**alert, **_known(alert), "alertstate": "firing"}.items())), "value": 1}
        for alert in fires
    ]
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": list(input_series),
                "promql_expr_test": [
                    {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{at}m", "exp_samples": expected}
                ],
            }
        ],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(test))
    return subprocess.run([PROMTOOL, "test", "rules", str(file)], capture_output=True, text=True, check=False)


def _known(alert):
    rules = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    return rules[alert["alertname"]]["labels"]


def test_promtool_accepts_the_rules():
    done = subprocess.run([PROMTOOL, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("recording", "scenario"), FIRES, ids=lambda value: value.replace("k8s-1.36.2_tetragon-", ""))
def test_fires_on_what_was_recorded_and_on_nothing_else(recording, scenario, tmp_path):
    done = check(tmp_path, series(recording, scenario), FRESH, FIRES[recording, scenario])
    assert done.returncode == 0, done.stdout + done.stderr


def test_is_quiet_before_anything_happened(tmp_path):
    done = check(tmp_path, series(V17, "block-fd-install"), AFTER - 1, [])
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_agent_that_hears_nothing_for_ten_minutes_is_silent(tmp_path):
    done = check(tmp_path, series(V17, "block-fd-install"), LONG_AGO, [{"alertname": "TetragonAgentSilent", **SCRAPED}])
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_agent_that_does_not_answer_is_gone(tmp_path):
    up = [{"series": written("up", sorted(SCRAPED.items())), "values": "1+0x4 0+0x10"}]
    assert check(tmp_path, up, AFTER - 1, []).returncode == 0
    done = check(tmp_path, up, AFTER + 6, [{"alertname": "TetragonAgentGone", **SCRAPED}])
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_agent_that_restarts_is_counted_from_its_new_beginning(tmp_path):
    """A counter that falls is a new one: what it shows since was acted on since."""
    name = written("tetragon_policy_events_total", sorted({**SCRAPED, **PROBE, "policy": "block-fd-install"}.items()))
    alert = {
        "alertname": "TetragonPolicyEnforced",
        "policy": "block-fd-install",
        **PROBE,
        "instance": "tetra-node:2112",
    }
    assert check(tmp_path, [{"series": name, "values": "7+0x9 2+0x9"}], 9, []).returncode == 0
    done = check(tmp_path, [{"series": name, "values": "7+0x9 2+0x9"}], 11, [alert])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("said", "instead", "recording", "scenario"),
    [
        (',policy!~".+-monitor"', "", V17, "block-fd-install-monitor"),
        ('policy="block-internet-egress"', 'policy="block-egress"', V17, "block-internet-egress"),
        ("privileged-exec(-with-nop)?", "privileged-exec", V17, "privileged-exec-with-nop"),
        ("load_error|error", "error", V14, "block-fd-install"),
        ("(block|override)-.+", ".+", V17, "log-tcp-connection"),
        ("> 100", "> 100000", DROWNED, "log-tcp-connection-unfiltered"),
        (
            "tetragon_notify_overflowed_events",
            "tetragon_observer_ringbuf_errors",
            DROWNED,
            "log-tcp-connection-unfiltered",
        ),
        (
            "unless tetragon_policy_events_total offset 5m",
            "unless tetragon_policy_events_total",
            V17,
            "privileged-exec",
        ),
    ],
)
def test_a_rule_that_says_something_else_fails(said, instead, recording, scenario, tmp_path):
    """The check above can fail: each rule, changed in one place, no longer fires as it should."""
    text = RULES.read_text()
    assert said in text
    changed = tmp_path / "changed.rules.yaml"
    changed.write_text(text.replace(said, instead))
    done = check(tmp_path, series(recording, scenario), FRESH, FIRES[recording, scenario], changed)
    assert done.returncode != 0
