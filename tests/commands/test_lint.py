"""`tetraproof lint`: trees as they lie in real repositories, told in lines, and never with a traceback."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import MANIFESTS, POLICY, ROOT
from tetraproof.cli import main
from tetraproof.policies import crd

OTHER = POLICY.replace("name: guard", "name: other")
NAMESPACED = POLICY.replace("kind: TracingPolicy", "kind: TracingPolicyNamespaced")
TYPO = POLICY.replace("matchActions", "matchAction")


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, list[str], str]:
    code = main(["lint", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def tree(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path = path.with_name(path.name + ".yaml") if "." not in path.name else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


def test_a_good_policy_is_told_with_what_it_needs_and_leaves_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a block, whose lines can be searched."""
    code, lines, told = said(capsys, tree(tmp_path, guard=POLICY))
    assert (code, told) == (0, "")
    assert lines[0].startswith("judged by the CRD of Tetragon 1.7.0 (--crd takes another: 1.4.1")
    assert lines[1] == f"{tmp_path}/guard.yaml:1: guard fits, and enforces"
    assert lines[2].startswith("    needs: kprobes need CONFIG_KPROBES; Sigkill needs the helper bpf_send_signal")
    assert [line.partition("[")[2] for line in lines[3:-1]] == [
        "file-is-made-first, recorded]",
        "rename-passes, recorded]",
        "hard-link-passes, recorded]",
    ]
    assert all(line.startswith("    open at line 7: fd_install: ") for line in lines[3:-1])
    assert lines[-1] == "1 policy fits, 0 problems, 3 things left open (--explain RULE says more)"


def test_every_problem_of_a_policy_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File, line, field, what is wrong, and what to do about it."""
    bad = POLICY.replace("- call:", "- cal:").replace("Equal", "Equals").replace("metadata", "\nmetadata")
    code, lines, _ = said(capsys, tree(tmp_path, bad=bad))
    file, mend = tmp_path / "bad.yaml", f"To mend it: did you mean Equal? It knows {', '.join(sorted(OPERATORS))}"
    place = ".kprobes[0].selectors[0].matchArgs[0].operator"
    assert code == 1
    assert lines[1:-1] == [
        f"{file}:8: spec.kprobes[0]: 'call' is a required field. To mend it: write it",
        f"{file}:8: spec.kprobes[0].cal is a field that the CRD does not know. To mend it: did you mean call?",
        f"{file}:15: spec{place}: 'Equals' is no value that the CRD knows. {mend}",
    ]


_KPROBE: Any = crd.schema()["properties"]["kprobes"]["items"]["properties"]
OPERATORS = _KPROBE["selectors"]["items"]["properties"]["matchArgs"]["items"]["properties"]["operator"]["enum"]


def test_what_no_agent_takes_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Though the CRD takes it."""
    code, lines, _ = said(capsys, tree(tmp_path, bad=POLICY.replace("      syscall: false\n", "")))
    assert code == 1
    assert lines[1] == (
        f"{tmp_path}/bad.yaml:7: spec.kprobes[0].call: fd_install is no system call, and syscall is true where it is "
        "not written. To mend it: write syscall: false"
    )


def test_a_repository_is_read_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kustomizations, charts, other kinds and links are passed over by name; what is hidden is left out."""
    tree(
        tmp_path,
        **{
            "base__guard": POLICY,
            "base__kustomization": "kind: Kustomization\nresources: [guard.yaml]\n",
            "overlay__patch": "kind: Kustomization\npatches: [{target: {kind: TracingPolicy}}]\n",
            "chart__templates__guard": POLICY.replace("name: guard", "name: {{ .Values.name }}"),
            "chart__templates__quoted": POLICY.replace("name: guard", 'name: "{{ .Values.name }}"'),
            "chart__templates__block": "{{- if .Values.on }}\n" + POLICY + "{{- end }}\n",
            "chart__values.yml": "policies: [TracingPolicy]\n",
            "app__deploy": f"kind: Deployment\n---\n{NAMESPACED}---\nkind: Service\n---\n{OTHER}",
            ".github__guard": POLICY,
            "README.md": POLICY,
        },
    )
    (tmp_path / "base/loop").symlink_to(tmp_path)
    (tmp_path / "self.yaml").symlink_to("self.yaml")
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.yaml")
    code, lines, _ = said(capsys, tmp_path)
    heads = [line.removeprefix(f"{tmp_path}/") for line in lines[1:-1] if not line.startswith(" ")]
    assert code == 0
    assert heads == [
        "app/deploy.yaml:2: guard fits, and enforces, in whatever namespace it is applied in",
        "app/deploy.yaml:21: other fits, and enforces",
        "base/guard.yaml:1: guard fits, and enforces",
        "base/kustomization.yaml: passed over: it holds no TracingPolicy",
        "base/loop: passed over: it is a link to a folder",
        "chart/templates/block.yaml: passed over: it is a template, whose {{ … }} are still to be filled in",
        "chart/templates/guard.yaml: passed over: it is a template, whose {{ … }} are still to be filled in",
        "chart/templates/quoted.yaml: passed over: it is a template, whose {{ … }} are still to be filled in",
        "chart/values.yml: passed over: it has no kind",
        "gone.yaml: passed over: it is no file, or a link that leads to none",
        "overlay/patch.yaml: passed over: its kind is Kustomization",
        "pipe.yaml: passed over: it is no file, or a link that leads to none",
        "self.yaml: passed over: it is no file, or a link that leads to none",
    ]


def test_a_policy_that_only_mentions_a_template_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with it is not what is to be filled in."""
    mentions = TYPO.replace("spec:", "  annotations: {note: '{{ x }}'}\nspec:")
    deeper = TYPO.replace("matchAction:", "matchAction: # {{ x }}").replace("action: Sigkill", "action: '{{ x }}'")
    code, lines, _ = said(capsys, tree(tmp_path, guard=mentions, other=deeper))
    assert code == 1
    assert [line.partition("mean ")[2] for line in lines[1:-1]] == ["matchActions?", "matchActions?"]


@pytest.mark.parametrize(
    "text",
    [
        POLICY.replace("\n", "\r\n"),
        "\ufeff" + POLICY,
        "---\n" + POLICY + "---\n---\n# nothing\n",
        "kind: List\nitems:\n- kind: Pod\n- " + POLICY.replace("\n", "\n  ").rstrip() + "\n",
        json.dumps(yaml.safe_load(POLICY)),
    ],
    ids=["carriage returns", "byte order mark", "separators", "a list", "JSON"],
)
def test_a_policy_is_read_however_it_is_written(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As kubectl reads it; its openings lead to their lines."""
    code, lines, _ = said(capsys, tree(tmp_path, guard=text))
    assert code == 0
    row = next(at for at, line in enumerate(text.splitlines(), 1) if "fd_install" in line)
    assert f"    open at line {row}: fd_install: a hard link" in "\n".join(lines)


def test_a_problem_in_a_later_document_or_item_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the file, not in the document."""
    item = TYPO.replace("\n", "\n  ").rstrip()
    tree(tmp_path, several=f"{POLICY}---\n{TYPO}", items=f"kind: List\nitems:\n- kind: Pod\n- {item}\n- {item}\n")
    code, lines, _ = said(capsys, tmp_path)
    places = [line.partition(": ")[0].rpartition("/")[2] for line in lines if "matchAction is" in line]
    assert code == 1
    assert places == ["items.yaml:18", "items.yaml:34", "several.yaml:32"]
    for place in places:
        name, _, line = place.partition(":")
        assert "matchAction:" in (tmp_path / name).read_text().splitlines()[int(line) - 1]


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        (POLICY.replace("      syscall", "\tsyscall"), 8, "is no YAML at line 8"),
        (POLICY + "kind: TracingPolicy\n", 17, "'kind' is written twice"),
        ("# TracingPolicy\n- &a [*a]\n", 2, "the anchor 'a' holds itself"),
        (POLICY.replace("kind: TracingPolicy", "kind: TracingPolcy"), 2, "write kind: TracingPolicy"),
        (POLICY.replace("cilium.io/v1alpha1", "v1"), 1, "write apiVersion: cilium.io/v1alpha1"),
        (POLICY.replace("name: guard", "name: Guard_1"), 4, "metadata.name is 'Guard_1'"),
        (POLICY.partition("spec:")[0], 1, "spec is missing"),
    ],
)
def test_what_cannot_be_read_has_its_line(
    text: str, line: int, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the mistake is."""
    code, lines, _ = said(capsys, tree(tmp_path, bad=text))
    assert code == 1
    assert lines[1].startswith(f"{tmp_path}/bad.yaml:{line}: ")
    assert word in lines[1]


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And the others are judged."""
    tree(tmp_path, guard=POLICY)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff")
    code, lines, _ = said(capsys, tmp_path)
    assert code == 1
    told = lines[1].partition(". To mend it")[0]
    assert told == f"{tmp_path}/bytes.yaml:1: The policy {tmp_path}/bytes.yaml is no text: byte 0 is not UTF-8"
    assert lines[-1].startswith("1 policy fits, 1 problem")


def test_what_cannot_be_opened_is_a_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file, and a folder: neither is left out silently."""
    tree(tmp_path, guard=POLICY, shut__in=POLICY, closed=POLICY)
    real_read, real_scan = Path.read_text, os.scandir

    def read(path: Path, *args: Any, **named: Any) -> str:
        if path.name == "closed.yaml":
            raise PermissionError(13, "Permission denied")
        return real_read(path, *args, **named)

    def scan(path: Any) -> Any:
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return real_scan(path)

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(os, "scandir", scan)
    code, lines, _ = said(capsys, tmp_path)
    assert code == 1
    assert [line.partition(". To mend it")[0] for line in lines[1:3]] == [
        f"{tmp_path}/closed.yaml:1: The policy {tmp_path}/closed.yaml cannot be read: Permission denied",
        f"{tmp_path}/shut:1: The folder {tmp_path}/shut cannot be read: Permission denied",
    ]


def test_two_policies_of_one_name_in_two_namespaces_are_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one file; in one namespace they are one too many."""
    first, second = (NAMESPACED.replace("name: guard", f"name: guard\n  namespace: {one}") for one in "ab")
    code, lines, _ = said(capsys, tree(tmp_path, both=f"{first}---\n{second}"))
    assert (code, sum("guard fits" in line for line in lines)) == (0, 2)
    code, lines, _ = said(capsys, tree(tmp_path, both=f"{first}---\n{first}"))
    assert code == 1
    assert "there is a policy guard already" in lines[1]


def test_a_file_that_two_paths_lead_to_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Good or bad, or passed over."""
    tree(tmp_path, guard=POLICY, bad=TYPO, other="kind: Pod\n")
    once = said(capsys, tmp_path)
    assert said(capsys, tmp_path, tmp_path / "guard.yaml", tmp_path / "bad.yaml", tmp_path) == once


def test_a_file_is_read_whatever_it_is_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is named itself."""
    assert said(capsys, tree(tmp_path, **{"guard.txt": POLICY}) / "guard.txt")[0] == 0


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As from helm template."""
    text = f"---\n# Source: chart/templates/guard.yaml\n{POLICY}---\n{TYPO}"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, lines, _ = said(capsys, "-")
    assert code == 1
    assert lines[1].startswith("-:34: spec.kprobes[0].selectors[0].matchAction is a field")
    assert lines[2] == "-:1: guard fits, and enforces"


@pytest.mark.parametrize("version", crd.VERSIONS)
def test_the_crd_can_be_chosen(version: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By version, or by its own file; a field of another version is told so."""
    newer = tree(tmp_path, guard=POLICY.replace("type: file}", "type: file, btfTypeModule: m}"))
    whole = {"properties": {"spec": dict(crd.schema(version))}}
    own = {"spec": {"names": {"kind": "TracingPolicy"}, "versions": [{"schema": {"openAPIV3Schema": whole}}]}}
    (tmp_path / "crd").write_text(yaml.safe_dump_all([own, own]))
    knows = version in {"1.7.1", "main"}
    for chosen, called in ((version, f"Tetragon {version}"), (tmp_path / "crd", str(tmp_path / "crd"))):
        code, lines, _ = said(capsys, "--crd", chosen, newer)
        assert lines[0].startswith(f"judged by the CRD of {called} (--crd takes another: ")
        assert code == (0 if knows else 1)
        if knows:
            assert "needs: a Tetragon whose CRD takes it (1.7.1, main); " in lines[2]
        else:
            assert f"is a field of 1.7.1's CRD, judged by that of {chosen}" in lines[1]
            assert "To mend it: choose the CRD of your Tetragon: --crd 1.7.1" in lines[1]


@pytest.mark.parametrize(
    "text", ["", "a: b", "- a", "spec: {names: {kind: PodInfo}, versions: []}", "spec: 1", "{", "\x00", "a: &a [*a]"]
)
def test_a_file_that_is_no_crd_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence, and nothing is judged."""
    (tmp_path / "crd").write_text(text)
    code, lines, told = said(capsys, "--crd", tmp_path / "crd", MANIFESTS)
    assert (code, lines) == (2, [])
    assert "holds no CRD with a schema of spec" in told


def test_a_schema_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is judged by it."""
    whole = {"properties": {"spec": {"type": "mapping"}}}
    own = {"spec": {"versions": [{"schema": {"openAPIV3Schema": whole}}]}}
    (tmp_path / "crd").write_text(yaml.safe_dump(own))
    assert said(capsys, "--crd", tmp_path / "crd", MANIFESTS)[0] == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "There is no file and no folder nowhere."),
        (["empty"], "There is no policy in empty."),
        (["pods"], "There is no policy in pods: 1 files were passed over."),
        (["--crd", "0.1", "pods"], "There is no CRD of Tetragon 0.1 here."),
        ([], "There is no file and no folder policies."),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    words: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With exit code 2: that nothing was judged is no success."""
    monkeypatch.chdir(tree(tmp_path, pods__pod="kind: Pod\n"))
    (tmp_path / "empty").mkdir()
    code, lines, told = said(capsys, *words)
    assert (code, lines) == (2, [])
    assert told.startswith(f"tetraproof: {sentence}\n")


def test_the_projects_own_policies_are_the_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its CRD."""
    tree(tmp_path, **{"rules__guard": POLICY, "tetraproof.toml": 'policies = "rules"\ncrd = "1.4.1"\n'})
    monkeypatch.chdir(tmp_path)
    code, lines, _ = said(capsys)
    assert code == 0
    assert lines[0].startswith("judged by the CRD of Tetragon 1.4.1 ")
    assert lines[1].startswith("rules/guard.yaml:1: guard fits")


def test_what_is_left_open_counts_where_it_is_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --strict."""
    tree(tmp_path, guard=POLICY)
    assert said(capsys, tmp_path)[0] == 0
    assert said(capsys, "--strict", tmp_path)[0] == 1
    tree(tmp_path, guard="".join(POLICY.partition("      args:")[0]))
    assert said(capsys, "--strict", tmp_path)[0] == 0


def test_json_has_an_object_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of all that is told."""
    tree(tmp_path, guard=NAMESPACED, bad=TYPO, pod="kind: Pod\n")
    code, lines, _ = said(capsys, "--json", tmp_path)
    judged, problem, policy, passed = (json.loads(line) for line in lines)
    assert code == 1
    assert judged == {"kind": "judged by", "crd": "1.7.0"}
    assert problem == {
        "kind": "problem",
        "file": f"{tmp_path}/bad.yaml",
        "line": 15,
        "field": "spec.kprobes[0].selectors[0].matchAction",
        "said": "spec.kprobes[0].selectors[0].matchAction is a field that the CRD does not know",
        "remedy": "did you mean matchActions?",
    }
    assert (policy["kind"], policy["file"], policy["name"]) == ("policy", f"{tmp_path}/guard.yaml", "guard")
    assert {one["id"] for one in policy["open"]} == {"file-is-made-first", "rename-passes", "hard-link-passes"}
    assert {"need": "signal", "why": "Sigkill needs the helper bpf_send_signal"} in policy["needs"]
    assert passed == {"kind": "passed over", "file": f"{tmp_path}/pod.yaml", "why": "it holds no TracingPolicy"}


def test_many_files_that_are_passed_over_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Some are named, and JSON names them all."""
    tree(tmp_path, guard=POLICY, **{f"pods__{number}": "kind: Pod\n" for number in range(30)})
    lines = said(capsys, tmp_path)[1]
    assert sum("passed over: " in line for line in lines) == 20
    assert lines[-2] == "10 more were passed over (--json names them)"
    assert sum("passed over" in line for line in said(capsys, "--json", tmp_path)[1]) == 30


@pytest.mark.parametrize("version", crd.VERSIONS)
def test_the_shipped_policies_fit(version: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By each CRD that is known; the cases of the policy language by that of the version that has all of it."""
    code, lines, _ = said(capsys, "--crd", version, *sorted(MANIFESTS.glob("*.yaml")))
    assert code == 0
    assert lines[-1].startswith("16 policies fit, 0 problems, ")
    code, lines, _ = said(capsys, "--crd", crd.DEFAULT, MANIFESTS)
    assert code == 0
    assert ", 0 problems, " in lines[-1]


CASES = ROOT.parent / "shared/cases/policies"


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
def test_the_shared_cases_come_out_right(capsys: pytest.CaptureFixture[str]) -> None:
    """As their README says."""
    code, lines, _ = said(capsys, CASES)
    text = "\n".join(lines)
    assert code == 1
    assert "field-of-a-newer-crd.yaml:8: spec.kprobes[0].args[0].btfTypeModule is a field of 1.7.1's CRD" in text
    assert "unfilled-template.yaml: passed over: it is a template" in text
    assert "as-in-a-real-repository/kustomization.yaml: passed over" in text
    for name in ("type-left-to-its-default", "namespaced-without-namespace", "as-in-a-real-repository/guard"):
        assert f"{name}.yaml:1: " in text


def test_a_strangers_text_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is in a name or a field."""
    evil = POLICY.replace("syscall: false", '"\\e[31m\\u202e": 1')
    tree(tmp_path, evil=evil)
    (tmp_path / "a\x1b[31m.yaml").write_text("kind: Pod\n")
    _, lines, _ = said(capsys, tmp_path)
    assert len(lines) > 2
    assert all(line.isprintable() for line in lines)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
NAMES = st.sampled_from(
    ["kind", "apiVersion", "metadata", "name", "spec", "kprobes", "items", "selectors", "matchArgs", "args", "call"]
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=3)
)
WORDS = st.sampled_from(
    [
        *POLICY.splitlines(keepends=True),
        "---\n",
        "{{ x }}",
        "\t",
        "&a ",
        "*a",
        "<<: ",
        "kind: List\nitems:\n- ",
        "\x00",
        "}",
    ]
)


@settings(max_examples=200, deadline=None)
@given(
    text=st.lists(WORDS | st.text(max_size=4), max_size=25).map("".join)
    | VALUES.map(lambda one: f"# TracingPolicy\n{json.dumps(one)}")
)
def test_whatever_a_file_holds_is_told(text: str) -> None:
    """In lines that can be printed, with an exit code that says which, and never a traceback."""
    out, err = io.StringIO(), io.StringIO()
    stdin = io.TextIOWrapper(io.BytesIO(text.encode(errors="surrogatepass")))
    with patch.object(sys, "stdin", stdin), patch.object(sys, "stdout", out), patch.object(sys, "stderr", err):
        code = main(["lint", "-"])
    assert code in {0, 1, 2}
    assert (code == 2) == bool(err.getvalue())
    assert all(line.isprintable() for line in (*out.getvalue().split("\n"), *err.getvalue().split("\n")))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_policy_that_was_changed_anywhere_is_told(data: st.DataObject) -> None:
    """A value of a shipped policy is put in the place of another, or left out."""
    path = data.draw(st.sampled_from(sorted(MANIFESTS.glob("*.yaml"))))
    manifest = yaml.safe_load(path.read_text())
    holder = manifest
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(holder[key], dict | list) and data.draw(st.booleans()):
            holder = holder[key]
            continue
        holder[key] = data.draw(VALUES)
        break
    test_whatever_a_file_holds_is_told.hypothesis.inner_test(yaml.safe_dump(manifest, allow_unicode=True))


def test_a_rule_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """By its name; a near one is named."""
    assert said(capsys, "--explain", "udp-passes")[:2] == (
        0,
        ["udp-passes: told of tcp_connect, and no hook by which datagrams go; recorded with 1.4.1 and 1.7.0"],
    )
    code, lines, told = said(capsys, "--explain", "upd-passes")
    assert (code, lines) == (2, [])
    assert "did you mean udp-passes?" in told


def test_what_a_policy_says_that_it_leaves_open_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told all the same, and counts no more; a rule that there is not is a problem."""
    annotated = POLICY.replace("spec:", "  annotations:\n    tetraproof.dev/leaves-open: {}\nspec:")
    tree(tmp_path, guard=annotated.replace("{}", "rename-passes hard-link-passes", 1))
    code, lines, _ = said(capsys, "--strict", tmp_path)
    assert code == 1
    assert [line.partition(" at ")[0] for line in lines[3:6]] == [
        "    open",
        "    known to be open",
        "    known to be open",
    ]
    assert lines[-1] == "1 policy fits, 0 problems, 1 thing left open, 2 more that are known (--explain RULE says more)"
    every = "file-is-made-first, rename-passes, hard-link-passes"
    tree(tmp_path, guard=annotated.replace("{}", every, 1))
    assert said(capsys, "--strict", tmp_path)[0] == 0
    tree(tmp_path, guard=annotated.replace("{}", "renames-pass", 1))
    code, lines, _ = said(capsys, tmp_path)
    assert code == 1
    assert lines[1] == (
        f"{tmp_path}/guard.yaml:6: metadata.annotations['tetraproof.dev/leaves-open'] names renames-pass, which is no "
        "rule. To mend it: did you mean rename-passes?"
    )


def test_a_long_path_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And whole."""
    folder = "a-folder-with-a-long-name__" * 8
    tree(tmp_path, **{f"{folder}bad": POLICY.replace("Equal", "Equals")})
    _, lines, _ = said(capsys, tmp_path)
    path = next(tmp_path.rglob("bad.yaml"))
    assert lines[1].startswith(f"{path}:14: spec.kprobes[0].selectors[0].matchArgs[0].operator: 'Equals' is no value")
    assert lines[1].count(str(tmp_path)) == 1
