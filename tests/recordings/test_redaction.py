"""Nothing that is kept of a cluster holds a secret, and nothing else is lost."""

from __future__ import annotations

import pytest
import yaml

from tetraproof.recordings.redaction import REDACTED, redacted, redacted_text, redacted_yaml

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJlLW9mLWl0"


def test_values_of_environment_variables_go_and_their_names_stay() -> None:
    """Where a value is taken from says no secret, and is kept."""
    source = {"valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    pod = {
        "spec": {
            "containers": [{"name": "a", "env": [{"name": "KEY", "value": "hunter2"}, {"name": "NODE", **source}]}]
        }
    }
    assert redacted(pod)["spec"]["containers"][0]["env"] == [
        {"name": "KEY", "value": REDACTED},
        {"name": "NODE", **source},
    ]


@pytest.mark.parametrize("name", ["password", "clientSecret", "token", "apiKey", "privateKey", ".dockerconfigjson"])
def test_what_is_named_like_a_secret_goes(name: str) -> None:
    """Wherever it stands."""
    assert redacted({"a": [{name: "hunter2"}]}) == {"a": [{name: REDACTED}]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secretName", "tetragon-tls"),
        ("secretKeyRef", "x"),
        ("tokenExpirationSeconds", "3600"),
        ("imagePullSecrets", "regcred"),
        ("image", "quay.io/cilium/tetragon:v1.7.0"),
        ("token", ""),
    ],
)
def test_what_only_names_a_secret_stays(name: str, value: str) -> None:
    """A name, a path, a reference is what one looks for."""
    assert redacted({name: value}) == {name: value}


def test_who_changed_which_field_is_left_out() -> None:
    """It repeats every field of the object."""
    assert redacted({"metadata": {"name": "a", "managedFields": [{"manager": "helm"}]}}) == {"metadata": {"name": "a"}}


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (f"calling with {TOKEN}", f"calling with {REDACTED}"),
        ("Authorization: Bearer abcdef0123456789", f"Authorization: Bearer {REDACTED}"),
        ('{"password": "hunter22"}', f'{{"password": "{REDACTED}"}}'),
        ("--token=abcdef", f"--token={REDACTED}"),
        ('level=info msg="Loading sensor" name=fd_install', 'level=info msg="Loading sensor" name=fd_install'),
        ("the token is short", "the token is short"),
    ],
)
def test_a_log_keeps_everything_but_secrets(line: str, kept: str) -> None:
    """What reads like a password or a token goes, its name stays."""
    assert redacted_text(line) == kept


def test_chart_values_stay_readable_as_helm_prints_them() -> None:
    """The first line is Helm's own."""
    text = redacted_yaml("COMPUTED VALUES:\nauth:\n  password: hunter2\ntetragon:\n  enableProcessCred: false\n")
    head, _, body = text.partition("\n")
    assert head == "COMPUTED VALUES:"
    assert yaml.safe_load(body) == {"auth": {"password": REDACTED}, "tetragon": {"enableProcessCred": False}}
