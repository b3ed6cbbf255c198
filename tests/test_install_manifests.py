"""What is under manifests/install/: our Helm values, and the Argo CD Application that installs the same.

The charts are not ours to ship. TETRAGON_CHARTS names a folder that holds `<version>/tetragon`, and
ARGOCD_APPLICATION_CRD a file of Argo CD's `manifests/crds/application-crd.yaml`; what needs them is skipped without.
"""

import copy
import os
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
INSTALL = ROOT / "manifests/install"
VALUES = INSTALL / "values.yaml"
APPLICATION = yaml.safe_load((INSTALL / "application.yaml").read_text())
#: What the guide installs, and where.
RELEASE, NAMESPACE, VERSION, REPOSITORY = "tetragon", "kube-system", "1.4.1", "https://helm.cilium.io"
HELM = shutil.which("helm")
VERSIONS = ("1.4.1", "1.7.0")

#: The part of Argo CD's schema that this Application uses, from its documentation: a typed name is refused.
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "argoproj.io/v1alpha1"},
        "kind": {"const": "Application"},
        "metadata": {
            "type": "object",
            "required": ["name", "namespace"],
            "additionalProperties": False,
            "properties": {"name": {"type": "string"}, "namespace": {"type": "string"}},
        },
        "spec": {
            "type": "object",
            "required": ["project", "source", "destination"],
            "additionalProperties": False,
            "properties": {
                "project": {"type": "string"},
                "source": {
                    "type": "object",
                    # a chart of a Helm repository has neither path nor ref
                    "required": ["repoURL", "chart", "targetRevision"],
                    "additionalProperties": False,
                    "properties": {
                        "repoURL": {"type": "string", "pattern": "^https://"},
                        "chart": {"type": "string"},
                        "targetRevision": {"type": "string"},
                        "helm": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {"releaseName": {"type": "string"}, "valuesObject": {"type": "object"}},
                        },
                    },
                },
                "destination": {
                    "type": "object",
                    "required": ["server", "namespace"],
                    "additionalProperties": False,
                    "properties": {"server": {"type": "string"}, "namespace": {"type": "string"}},
                },
            },
        },
    },
}


def chart(version):
    """The chart of a version, or the reason why this is skipped."""
    if HELM is None:
        pytest.skip("helm is not on the PATH")
    charts = os.environ.get("TETRAGON_CHARTS", "")
    if not charts:
        pytest.skip("TETRAGON_CHARTS names no folder with <version>/tetragon")
    path = Path(charts, version, "tetragon")
    assert (path / "Chart.yaml").is_file(), f"TETRAGON_CHARTS has no {version}/tetragon"
    return path


def rendered(path, values, release=RELEASE, namespace=NAMESPACE):
    """The objects that the chart renders to, by kind, namespace and name."""
    command = [HELM, "template", release, str(path), "--namespace", namespace, "--include-crds"]
    files = [word for file in values for word in ("--values", str(file))]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert objects
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in objects}


def as_argo_does(application, path, tmp_path):
    """What Argo CD renders of an Application's source: `helm template` with its values, release and namespace."""
    source, destination = application["spec"]["source"], application["spec"]["destination"]
    values = tmp_path / "values-of-the-application.yaml"
    values.write_text(yaml.safe_dump(source["helm"]["valuesObject"]))
    return rendered(path, [values], source["helm"]["releaseName"], destination["namespace"])


def test_the_application_names_the_chart_that_helm_installs():
    spec = APPLICATION["spec"]
    assert (spec["source"]["repoURL"], spec["source"]["chart"]) == (REPOSITORY, "tetragon")
    assert spec["source"]["targetRevision"] == VERSION
    assert spec["source"]["helm"]["releaseName"] == RELEASE
    assert spec["destination"]["namespace"] == NAMESPACE
    assert f"--version {VERSION} -n {NAMESPACE}" in VALUES.read_text()


def test_the_application_has_the_values_that_helm_is_given():
    assert APPLICATION["spec"]["source"]["helm"]["valuesObject"] == yaml.safe_load(VALUES.read_text())


def test_the_application_is_one():
    jsonschema.validate(APPLICATION, SCHEMA)


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ((), "kind", "Applications"),
        (("spec",), "sources", []),
        (("spec", "source"), "path", "chart"),
        (("spec", "source"), "chart", None),
        (("spec", "source", "helm"), "valueObject", {}),
        (("spec", "destination"), "server", None),
    ],
)
def test_an_application_with_a_slip_is_none(where, name, value):
    """The check above can fail."""
    changed = copy.deepcopy(APPLICATION)
    part = changed
    for key in where:
        part = part[key]
    if value is None:
        del part[name]
    else:
        part[name] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(changed, SCHEMA)


def test_argo_cd_s_own_schema_accepts_the_application():
    file = os.environ.get("ARGOCD_APPLICATION_CRD", "")
    if not file:
        pytest.skip("ARGOCD_APPLICATION_CRD names no file of Argo CD's application-crd.yaml")
    crd = yaml.safe_load(Path(file).read_text())
    (schema,) = [one["schema"]["openAPIV3Schema"] for one in crd["spec"]["versions"] if one["name"] == "v1alpha1"]
    closed = _closed(schema)
    jsonschema.validate(APPLICATION, closed)
    for slip in ({"sources": "x"}, {"project": 1}, {"destinations": {}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**APPLICATION, "spec": {**APPLICATION["spec"], **slip}}, closed)


def _closed(schema):
    """A structural schema, with fields that it does not know refused as the API server warns of them."""
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) if key == "items" else value for key, value in schema.items()}
    if "properties" in schema:
        made["properties"] = {name: _closed(part) for name, part in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in schema:
            made["additionalProperties"] = False
    return made


def test_both_render_to_the_same_objects(tmp_path):
    path = chart(VERSION)
    by_helm, by_argo = rendered(path, [VALUES]), as_argo_does(APPLICATION, path, tmp_path)
    assert by_argo.keys() == by_helm.keys()
    assert by_argo == by_helm
    assert {kind for kind, _, _ in by_helm} >= {"DaemonSet", "ConfigMap", "ServiceAccount", "Deployment"}


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (("source", "helm"), "releaseName", "another"),
        (("source", "helm", "valuesObject", "export"), "mode", ""),
        (("source", "helm", "valuesObject", "tetragon"), "exportRateLimit", 10),
        (("source", "helm", "valuesObject", "tetragon", "prometheus"), "enabled", False),
        (("destination",), "namespace", "tetragon"),
    ],
)
def test_an_application_that_says_something_else_renders_to_something_else(where, name, value, tmp_path):
    """The comparison above can fail."""
    path = chart(VERSION)
    changed = copy.deepcopy(APPLICATION)
    part = changed["spec"]
    for key in where:
        part = part[key]
    part[name] = value
    assert as_argo_does(changed, path, tmp_path) != rendered(path, [VALUES])


@pytest.mark.parametrize("version", VERSIONS)
def test_our_values_change_nothing_of_the_chart(version):
    """So nothing in them changes what a policy does."""
    path = chart(version)
    assert rendered(path, [VALUES]) == rendered(path, [])


@pytest.mark.parametrize("version", VERSIONS)
def test_each_of_our_values_is_one_that_the_chart_knows(version):
    """A value that the chart does not know would be ignored without a word."""
    known = yaml.safe_load((chart(version) / "values.yaml").read_text())

    def hold(ours, theirs, at):
        for name, value in ours.items():
            assert name in theirs, f"the chart has no {at}{name}"
            if isinstance(value, dict):
                hold(value, theirs[name], f"{at}{name}.")

    hold(yaml.safe_load(VALUES.read_text()), known, "")


@pytest.mark.parametrize("version", VERSIONS)
def test_helm_lint_has_nothing_against_our_values(version):
    done = subprocess.run(
        [HELM or "", "lint", str(chart(version)), "--values", str(VALUES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
