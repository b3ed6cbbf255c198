"""Nothing that is kept of a cluster holds a secret, and what evidence needs is not lost."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import RECORDINGS
from tetraproof.recordings.discretion.redaction import KEPT, REDACTED, kept, redacted, redacted_text, redacted_yaml

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLW9mLWl0"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nhunter2hunter2\n-----END RSA PRIVATE KEY-----"
APPLIED = json.dumps({"spec": {"containers": [{"env": [{"name": "KEY", "value": "hunter2"}]}]}})
AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

#: Each secret as it stands in a log or a command line, and the piece that must not be kept.
IN_TEXT = {
    "a password": ("password=hunter2", "hunter2"),
    "a password in JSON": ('{"password": "hunter2", "user": "x"}', "hunter2"),
    "JSON in JSON": (r'{"body": "{\"password\":\"hunter2\"}"}', "hunter2"),
    "a password as an argument": ("helm --password hunter2 --wait", "hunter2"),
    "a list of arguments": ('["mysql", "--password", "hunter2"]', "hunter2"),
    "an argument with =": ("tool --token=hunter2", "hunter2"),
    "a passphrase with blanks": ("passphrase: correct horse battery staple", "horse"),
    "a passphrase": ("passphrase=hunter2", "hunter2"),
    "an AWS key": (f"AWS_SECRET_ACCESS_KEY={AWS}", AWS),
    "an AWS key in YAML": (f"  awsSecretAccessKey: {AWS}", AWS),
    "an AWS id": ("using AKIAIOSFODNN7EXAMPLE now", "AKIAIOSFODNN7EXAMPLE"),
    "basic authorization": ("Authorization: Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy"),
    "a bearer": ("Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
    "a bearer alone": ("sent Bearer abcdef0123456789", "abcdef0123456789"),
    "a header of a curl": ("curl -H 'X-Api-Key: hunter2'", "hunter2"),
    "a cookie": ("Cookie: session=hunter2; path=/", "hunter2"),
    "user and password in an address": ("pull https://user:hunter2@registry.example/x", "hunter2"),
    "a token in an address": ("git clone https://hunter2token@example.org/x", "hunter2token"),
    "a database's address": ("postgres://app:hunter2@db:5432/app?sslmode=off", "hunter2"),
    "a private key": (f"loaded {PEM} well", "MIIEpAIBAAKCAQEA7"),
    "a private key in JSON": (json.dumps({"x": PEM}), "MIIEpAIBAAKCAQEA7"),
    "a private key that is cut": (PEM[:60], "MIIEpAIB"),
    "a token of GitHub": ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abcdef"),
    "a fine token of GitHub": ("github_pat_11ABCDEFG0abcdefghij_klmnopqrstu", "11ABCDEFG0"),
    "a token of GitLab": ("glpat-abcdefghij0123456789", "abcdefghij0"),
    "a token of Slack": ("xoxb-123456789012-123456789012-abcdefghijklmnop", "abcdefghijklmnop"),
    "a key of Stripe": ("sk_live_abcdefghijklmnopqrstuvwx", "abcdefghijkl"),
    "a key of Google": ("AIzaSyA1234567890abcdefghijklmnopqrstuvw", "AIzaSyA"),
    "a token of npm": ("npm_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijkl"),
    "an account of Azure": (f"AccountKey={'a1B2' * 22};x", "a1B2a1B2"),
    "a token of Vault": ("hvs.CAESIabcdefghijklmnopqrstuv", "CAESI"),
    "a JSON Web Token": (f"calling with {JWT}", "c2lnbmF0dXJl"),
    "user and password of curl": ("curl -u admin:hunter2 https://x", "hunter2"),
    "a password of mysql": ("mysql -uroot -phunter2 db", "hunter2"),
    "a client's secret": ("client_secret=hunter2&grant=x", "hunter2"),
    "an API key": ("apiKey: hunter2", "hunter2"),
    "a variable of a shell": ("export PGPASSWORD='hunter 2'", "hunter 2"),
}  # fmt: skip

#: Each as a part of an object of Kubernetes, or of a chart's values.
IN_AN_OBJECT: dict[str, Any] = {
    "an environment variable": {"env": [{"name": "KEY", "value": "hunter2"}]},
    "a chart's environment": {"extraEnv": [{"name": "LOG", "value": "hunter2"}]},
    "an environment as a mapping": {"extraEnvVars": {"LOG": "hunter2"}},
    "an environment as words": {"environment": ["LOG=hunter2"]},
    "what was applied": {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": APPLIED}}},
    "arguments": {"args": ["--user", "x", "--password", "hunter2"]},
    "arguments with =": {"command": ["x", "--api-key=hunter2"]},
    "a script": {"command": ["sh", "-c", "curl -u x:hunter2 https://y"]},
    "a value below a secret": {"secret": {"value": "hunter2"}},
    "a list below a secret": {"secrets": {"a": 1}, "tokens": ["hunter2"]},
    "deep below a secret": {"credentials": {"db": {"main": {"a": "hunter2"}}}},
    "a secret that is a number": {"pwd": 54321012345},
    "a key's file": {"data": {"tls.key": "hunter2"}},
    "an SSH key": {"data": {"id_rsa": "hunter2"}},
    "a passphrase": {"passphrase": "hunter2"},
    "a pull secret": {".dockerconfigjson": "hunter2"},
    "a name and its value": {"settings": [{"name": "DB_PASSWORD", "value": "hunter2"}]},
    "a Secret": {"kind": "Secret", "data": {"a": "aHVudGVyMg=="}, "stringData": {"b": "hunter2"}},
    "an opaque one": {"type": "Opaque", "data": {"a": "hunter2"}},
    "authentication": {"auth": {"basic": "hunter2"}},
    "an address": {"url": "https://x:hunter2@y"},
    "a PEM": {"config": PEM.replace("MIIEpAIBAAKCAQEA7", "hunter2")},
    "who changed what": {"managedFields": [{"manager": "hunter2"}]},
}  # fmt: skip
PIECES = ("hunter2", "aHVudGVyMg", "54321012345")


@pytest.mark.parametrize(("text", "piece"), IN_TEXT.values(), ids=IN_TEXT)
def test_a_log_is_kept_without(text: str, piece: str) -> None:
    """As a line among others, which stay as they are."""
    told = redacted_text(f"level=info msg=before\n{text}\nlevel=info msg=after\n")
    assert piece not in told
    assert REDACTED in told
    assert told.startswith("level=info msg=before\n")
    if "cut" not in text:
        assert told.endswith("msg=after\n") or "END" not in text


@pytest.mark.parametrize(("text", "piece"), IN_TEXT.values(), ids=IN_TEXT)
def test_chart_values_are_kept_without(text: str, piece: str) -> None:
    """Wherever such a text stands in them."""
    told = redacted_yaml("COMPUTED VALUES:\n" + yaml.safe_dump({"a": {"b": [text]}}))
    assert piece not in yaml.safe_load(told.partition("\n")[2])["a"]["b"][0]


@pytest.mark.parametrize("part", IN_AN_OBJECT.values(), ids=IN_AN_OBJECT)
def test_an_object_is_kept_without(part: dict[str, Any]) -> None:
    """Wherever it stands in one."""
    for value in (part, {"spec": {"template": [part]}}):
        told = json.dumps(redacted(value))
        assert [piece for piece in PIECES if piece in told] == []
    shown = yaml.safe_load(redacted_yaml(yaml.safe_dump(part)))
    assert [piece for piece in PIECES if piece in json.dumps(shown)] == []


@pytest.mark.parametrize("part", IN_AN_OBJECT.values(), ids=IN_AN_OBJECT)
@pytest.mark.parametrize("kind", [*KEPT, "Secret", "Certificate"])
def test_of_an_object_only_what_is_needed_is_kept(kind: str, part: dict[str, Any]) -> None:
    """Whatever else it has, secrets that look like nothing included."""
    odd = {"spec": {"anything": "hunter2", "containers": [{"name": "a", "lifecycle": "hunter2", **part}]}}
    metadata = {"name": "x", "annotations": {"a": "hunter2"}, **part}
    told = kept({"kind": kind, "metadata": metadata, "immutable": "hunter2", **odd})
    assert [piece for piece in PIECES if piece in json.dumps(told)] == []
    assert told["metadata"]["name"] == "x"


VOLUME = {"name": "v", "secret": {"secretName": "s"}}


def test_what_evidence_needs_of_a_pod_is_kept() -> None:
    """What ran, with what, where, and what became of it."""
    container = {"name": "a", "image": "x:1", "args": ["--verbose"], "env": [{"name": "KEY", "value": "hunter2"}]}
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting"}}
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "n", "labels": {"app": "x"}, "uid": "u"},
        "spec": {
            "nodeName": "node",
            "containers": [container],
            "volumes": [{"name": "v", "secret": {"secretName": "s"}}],
        },
        "status": {"phase": "Running", "containerStatuses": [{"name": "a", "restartCount": 3, "state": state}]},
    }
    told = kept([pod])[0]
    assert told["spec"]["containers"][0] == {**container, "env": [{"name": "KEY", "value": REDACTED}]}
    assert {**told, "spec": {}} == {**pod, "spec": {}}
    assert told["spec"]["volumes"] == pod["spec"]["volumes"]


def test_the_agents_settings_are_kept_as_they_are() -> None:
    """They are judged by, and a filter that speaks of passwords holds none."""
    data = {
        "redaction-filters": '{"redact": ["--password=(\\\\S+)"]}',
        "enable-process-cred": "true",
        "token": "hunter2",
    }
    told = kept({"kind": "ConfigMap", "metadata": {"name": "tetragon-config"}, "data": data})
    assert told["data"] == {**data, "token": REDACTED}


def test_the_objects_of_a_list_are_of_its_kind() -> None:
    """An API server leaves the kind of items out."""
    items = [{"metadata": {"name": "a"}, "spec": {"nodeName": "n", "odd": 1}}]
    assert kept({"kind": "PodList", "items": items})["items"] == [
        {"metadata": {"name": "a"}, "spec": {"nodeName": "n"}}
    ]
    assert kept(items, "Pod") == [{"metadata": {"name": "a"}, "spec": {"nodeName": "n"}}]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secretName", "tetragon-tls"),
        ("secretKeyRef", {"name": "x", "key": "y"}),
        ("tokenExpirationSeconds", 3600),
        ("imagePullSecrets", [{"name": "regcred"}]),
        ("automountServiceAccountToken", False),
        ("image", "quay.io/cilium/tetragon:v1.7.0"),
        ("token", ""),
        ("password", None),
        ("key", "app"),
        ("matchExpressions", [{"key": "app", "operator": "In", "values": ["tokens"]}]),
        ("containerID", "containerd://2c3696150d73f0c5c1d5a1f0d0e5d0b5a4c3b2a1908f7e6d5c4b3a2918f7e6d5"),
        ("digest", "sha256:2c3696150d73f0c5c1d5a1f0d0e5d0b5a4c3b2a1908f7e6d5c4b3a2918f7e6d5"),
    ],
)  # fmt: skip
def test_what_only_names_a_secret_stays(name: str, value: Any) -> None:
    """A name, a path, a reference is what one looks for."""
    assert redacted({name: value}) == {name: value}


@pytest.mark.parametrize(
    "line",
    [
        'level=info msg="Loading sensor" name=fd_install',
        "the token is short",
        "a Basic configuration was read",
        "time=2026-11-23T07:00:00Z level=warn msg=\"policy handler 'tracing' failed: exit status 22\"",
        "secretName: tetragon-tls",
        "dGV0cmEtbm9kZToxMjM0NTY3ODkwMTIzOjQyMTQ0",
        "http://127.0.0.1:2112/metrics",
        "/usr/bin/bash -c \"echo 'foo' > /tmp/tetragon\"",
    ],
)  # fmt: skip
def test_a_log_keeps_everything_else(line: str) -> None:
    """Addresses, exec ids and prose are no secrets."""
    assert redacted_text(line) == line


def test_the_recorded_logs_of_agents_lose_nothing() -> None:
    """No line of the shipped ones holds a secret."""
    logs = [path.read_text(encoding="utf-8") for path in RECORDINGS.glob("*/scenarios/*/agent.log")]
    assert logs
    assert [redacted_text(log) for log in logs] == logs


def test_chart_values_stay_readable_as_helm_prints_them() -> None:
    """The first line is Helm's own."""
    text = redacted_yaml("COMPUTED VALUES:\nauth:\n  password: hunter2\ntetragon:\n  enableProcessCred: false\n")
    first, _, body = text.partition("\n")
    assert first == "COMPUTED VALUES:"
    assert yaml.safe_load(body) == {"auth": {"password": REDACTED}, "tetragon": {"enableProcessCred": False}}


def test_chart_values_that_cannot_be_read_are_left_out() -> None:
    """What cannot be redacted is not kept."""
    assert redacted_yaml("password: hunter2\n[").startswith("# left out: ")
    assert "hunter2" not in redacted_yaml("password: hunter2\n[")


@given(st.text(), st.text())
def test_any_text_is_redacted_once(before: str, after: str) -> None:
    """Whatever stands around a secret, and redacting twice is redacting once."""
    told = redacted_text(f"{before} --password hunter2secret {after}")
    assert "hunter2secret" not in told
    assert redacted_text(told) == told


@pytest.mark.parametrize(
    "piece",
    [
        "A",
        "//",
        "mysql ",
        "token=",
        "-----BEGIN PRIVATE KEY-----",
        "://a",
        "--password ",
        "secret.-",
        "-u a:",
        "\n",
        '"',
    ],
)
def test_a_long_line_takes_no_time_beyond_its_length(piece: str) -> None:
    """A log may hold a line of a megabyte, of whoever's making."""
    times = []
    for size in (50_000, 200_000):
        text = piece * (size // len(piece))
        begun = time.process_time()
        redacted_text(text)
        times.append(time.process_time() - begun)
    assert times[1] < 12 * times[0] + 0.2
