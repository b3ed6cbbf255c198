"""Helm: what it is told, and what the real one does with a chart here and with the mock API server."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api_server import CONTEXT, ApiServer, Cut
from tests.builders import ROOT
from tests.clusters import Lab, at
from tests.machines.test_tool import real, script
from tetraproof.errors import UsageError
from tetraproof.kubernetes.helm import CRDS_MADE, INSTALLED_BY, VERSION, Chart, Helm, HelmError, check_values
from tetraproof.machines.tool import Tool, find

CHART = {
    "Chart.yaml": "apiVersion: v2\nname: tetragon\nversion: 9.8.7\nappVersion: 9.8.7\n",
    "values.yaml": "tetragon: {extraArgs: {}, name: none}\n",
    "templates/config.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made-config, namespace: {{ .Release.Namespace }}}\n"
        "data:\n  name: {{ .Values.tetragon.name | quote }}\n"
        "  {{- range $name, $value := .Values.tetragon.extraArgs }}\n"
        "  {{ $name }}: {{ $value | quote }}\n  {{- end }}\n"
    ),
}


def written(folder: Path) -> Path:
    for name, text in CHART.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def helm(path: str, tmp_path: Path, kubeconfig: Path | None = None, **more: object) -> Helm:
    tool = Tool("helm", Path(path), "3.19.0")
    own = kubeconfig or tmp_path / "kubeconfig"
    return Helm(tool, own, CONTEXT, tmp_path / "helm", 60.0, **more)  # type: ignore[arg-type]


def told(tmp_path: Path) -> tuple[str, Path]:
    """A helm that writes down what it is told."""
    log = tmp_path / "said"
    text = f'echo "$@" >> {log}; env | grep ^HELM_ | sort >> {log}; case "$1" in list) echo "[]";; esac'
    return script(tmp_path, text), log


@pytest.mark.parametrize(
    ("chart", "words"),
    [
        (Chart(), ["tetragon", "--repo", "https://helm.cilium.io", "--version", VERSION]),
        (Chart(version="1.4.1"), ["tetragon", "--repo", "https://helm.cilium.io", "--version", "1.4.1"]),
        (Chart("oci://here/tetragon"), ["oci://here/tetragon", "--version", VERSION]),
        (Chart("oci://here/tetragon", ""), ["oci://here/tetragon"]),
    ],
)
def test_a_chart_is_named_as_helm_has_it(chart: Chart, words: list[str]) -> None:
    """In a repository, or by a reference."""
    assert chart.words() == words
    assert not chart.local
    assert "--version" not in chart.words(pinned=False)


def test_a_local_chart_has_the_version_that_it_has(tmp_path: Path) -> None:
    """A folder or an archive, by its whole path."""
    folder = written(tmp_path / "chart")
    assert Chart(str(folder), "1.7.0").words() == [str(folder)]
    archive = tmp_path / "tetragon-1.7.0.tgz"
    archive.write_bytes(b"")
    assert Chart(str(archive)).local


def test_the_default_is_the_newest_release_that_a_recording_proves() -> None:
    """With the chart's defaults, which is what a user gets."""
    cells = [json.loads(path.read_bytes())["cell"] for path in ROOT.glob("recordings/*/recording.json")]
    released = [one["tetragon"] for one in cells if one["label"] == "defaults" and "-" not in one["tetragon"]]
    proven = {tuple(map(int, version.split("."))) for version in released}
    assert ".".join(map(str, max(proven))) == VERSION


@pytest.mark.parametrize("reference", ["charts/tetragon", "./tetragon-1.7.0.tgz", "tetragn", "/no/chart"])
def test_a_chart_that_is_not_there_is_told_before_anything_is_made(reference: str) -> None:
    """It is not looked for in a repository that does not have it."""
    with pytest.raises(UsageError, match=rf"^UPGRADE: there is no chart {re.escape(reference)}\."):
        Chart(reference).check("UPGRADE")


def test_a_folder_that_is_no_chart_is_told(tmp_path: Path) -> None:
    """One that is, an archive, a reference and the default are not."""
    with pytest.raises(UsageError, match=r"CHART: .* is no chart: it has no Chart\.yaml"):
        Chart(str(tmp_path)).check()
    (tmp_path / "a.tgz").touch()
    for chart in (Chart(), Chart("oci://x/y"), Chart(str(written(tmp_path / "chart"))), Chart(str(tmp_path / "a.tgz"))):
        chart.check()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "There is no file of values"),
        ("a: [", "cannot be read: while parsing"),
        ("- a", "are no mapping"),
        ("\x00", "cannot be read"),
    ],
)
def test_values_that_cannot_be_given_are_told(text: str | None, sentence: str, tmp_path: Path) -> None:
    """By their file, in one line; an empty file gives none."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("# nothing yet\n", encoding="utf-8")
    check_values([good])
    if text is not None:
        bad.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as told:
        check_values([good, bad])
    assert str(bad) in told.value.sentence
    assert sentence in told.value.sentence
    assert "\n" not in told.value.sentence


def test_a_release_is_marked_by_a_value_of_its_own(tmp_path: Path) -> None:
    """From the first thing that Helm writes; what the user annotates stays."""
    path, log = told(tmp_path)
    helm(path, tmp_path).install(Chart(), {INSTALLED_BY: "0a1b2c", CRDS_MADE: "true"})
    said = log.read_text(encoding="utf-8").splitlines()[0]
    assert r"--set-string daemonSetAnnotations.tetraproof\.dev/installed-by=0a1b2c" in said
    assert r"--set-string daemonSetAnnotations.tetraproof\.dev/crds-made=true" in said


def test_the_terminals_interrupt_does_not_reach_it(tmp_path: Path) -> None:
    """It is the leader of a session of its own."""
    log = tmp_path / "session"
    path = script(tmp_path, f'cut -d" " -f1,6 /proc/$$/stat > {log}; echo "[]"')
    helm(path, tmp_path).releases()
    process, session = log.read_text(encoding="utf-8").split()
    assert process == session


def test_it_sees_the_runs_own_kubeconfig_and_folders(tmp_path: Path) -> None:
    """The user's repositories are neither needed nor changed."""
    path, log = told(tmp_path)
    values = tmp_path / "values.yaml"
    made = helm(path, tmp_path, values=[values], sets={"tetragon.extraArgs.rb-size": "1M"})
    made.install(Chart())
    said = log.read_text(encoding="utf-8")
    assert said.splitlines()[0] == (
        f"install tetragon tetragon --repo https://helm.cilium.io --version {VERSION} --values {values} "
        f"--set tetragon.extraArgs.rb-size=1M --namespace kube-system --kubeconfig {tmp_path / 'kubeconfig'} "
        "--kube-context made"
    )
    for name in ("CACHE", "CONFIG", "DATA"):
        assert f"HELM_{name}_HOME={tmp_path / 'helm' / name.lower()}" in said
    made.uninstall()
    made.upgrade(Chart(), "--reuse-values", pinned=False)
    made.rollback()
    made.rollback(2)
    lines = [
        line.partition(" --namespace")[0]
        for line in log.read_text(encoding="utf-8").splitlines()
        if "HELM_" not in line
    ]
    assert lines[1:] == [
        "uninstall tetragon --ignore-not-found",
        "upgrade tetragon tetragon --repo https://helm.cilium.io --reuse-values",
        "rollback tetragon",
        "rollback tetragon 2",
    ]


def test_its_own_words_are_the_causes(tmp_path: Path) -> None:
    """The last of them; and what to do where a repository cannot be reached."""
    made = helm(script(tmp_path, "for i in 1 2 3 4 5 6 7 8; do echo line $i >&2; done; exit 1"), tmp_path)
    with pytest.raises(HelmError, match=r"helm install tetragon failed\.") as failed:
        made.install(Chart())
    assert failed.value.causes == tuple(f"line {number}" for number in range(3, 9))
    assert "CHART=" in failed.value.remedy


def test_one_that_hangs_is_given_up(tmp_path: Path) -> None:
    """After its deadline."""
    made = Helm(Tool("helm", Path(script(tmp_path, "exec sleep 60")), "3.19.0"), tmp_path, CONTEXT, tmp_path, 0.2)
    with pytest.raises(HelmError, match=r"helm list did not end within 0 s\."):
        made.releases()


def test_a_revision_is_that_of_the_release(tmp_path: Path) -> None:
    """None is an error."""
    listed = json.dumps([{"name": "other", "revision": "9"}, {"name": "tetragon", "revision": "3"}])
    assert helm(script(tmp_path, f"echo '{listed}'"), tmp_path).revision() == 3
    with pytest.raises(HelmError, match="no release tetragon in kube-system"):
        helm(script(tmp_path, "echo '[]'"), tmp_path).revision()


# the real one


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with ApiServer() as api:
        api.guarded = False
        yield Lab(api, tetragon=False)


@pytest.fixture(params=["helm", "helm3", "helm4"])
def path(request: pytest.FixtureRequest) -> str:
    """Each major version, where there are several beside each other."""
    return real(request.param)


def test_a_chart_of_our_values_is_linted_and_rendered(path: str, tmp_path: Path) -> None:
    """Values of files first, then those that are set; no cluster is asked."""
    folder = written(tmp_path / "chart")
    linted = subprocess.run([path, "lint", str(folder)], capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
    values = tmp_path / "values.yaml"
    values.write_text("tetragon: {name: ours, extraArgs: {debug: true}}", encoding="utf-8")
    made = helm(path, tmp_path, values=[values], sets={"tetragon.extraArgs.rb-size": "1M"})
    (rendered,) = made.template(Chart(str(folder)))
    assert rendered["data"] == {"name": "ours", "debug": "true", "rb-size": "1M"}
    assert rendered["metadata"]["namespace"] == "kube-system"


def test_a_chart_that_is_none_is_told_in_helms_words(path: str, tmp_path: Path) -> None:
    """Whatever is wrong with it."""
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(HelmError, match=r"Chart\.yaml"):
        helm(path, tmp_path).template(Chart(str(folder)))


def test_a_release_is_installed_listed_and_uninstalled(path: str, lab: Lab, tmp_path: Path) -> None:
    """Against the mock; what it made is gone afterwards, and uninstalling again is no error."""
    api = lab.api
    before = api.snapshot()
    made = helm(path, tmp_path, api.kubeconfig(tmp_path / "kubeconfig"), sets={"tetragon.name": "live"})
    made.install(Chart(str(written(tmp_path / "chart"))))
    assert api.objects["v1/ConfigMap", "kube-system", "made-config"]["data"]["name"] == "live"
    (release,) = made.releases()
    assert (release["name"], release["app_version"]) == ("tetragon", "9.8.7")
    assert made.revision() == 1
    assert "live" in made.computed()
    with pytest.raises(HelmError, match=r"cannot re-?use a name"):
        made.install(Chart(str(tmp_path / "chart")))
    assert made.marks() == {}
    made.uninstall()
    made.uninstall()
    assert made.marks() is None
    assert api.snapshot() == before


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut while it was made"])
def test_a_release_of_ours_is_known_by_its_values(cut: bool, path: str, lab: Lab, tmp_path: Path) -> None:
    """However far Helm came, and it can be uninstalled then."""
    api = lab.api
    before = api.snapshot()
    made = helm(path, tmp_path, api.kubeconfig(tmp_path / "kubeconfig"))
    if cut:
        api.faults = [at("create configmaps", lambda: (_ for _ in ()).throw(Cut))]
        with pytest.raises(HelmError):
            made.install(Chart(str(written(tmp_path / "chart"))), {INSTALLED_BY: "dead", CRDS_MADE: "true"})
        api.faults = []
    else:
        made.install(Chart(str(written(tmp_path / "chart"))), {INSTALLED_BY: "dead", CRDS_MADE: "true"})
    assert made.marks() == {INSTALLED_BY: "dead", CRDS_MADE: "true"}
    made.uninstall()
    assert api.snapshot() == before


def test_a_cluster_that_is_not_there_is_told_in_helms_words(path: str, tmp_path: Path) -> None:
    """Not as an empty list of releases."""
    with ApiServer() as api:
        config = api.kubeconfig(tmp_path / "kubeconfig")
    with pytest.raises(HelmError, match=r"(?i)unreachable|refused"):
        helm(path, tmp_path, config).releases()


def test_the_real_one_is_new_enough(path: str) -> None:
    """Whichever major version."""
    assert find("helm", path).version[0] in "34"
