"""Every place where tetraproof reads somebody's bytes: good bytes of it, how they are made bad, and what reads them.

What reads them returns the text that a user is shown, or raises a `TetraproofError`; anything else is a fault.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import random
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from tetraproof import cli
from tetraproof.answer import Undecided
from tetraproof.judging.claim import Claim
from tetraproof.judging.explanation import of_act
from tetraproof.judging.scenario import Run
from tetraproof.kubernetes import kubeconfig
from tetraproof.observing.act import Act
from tetraproof.observing.inventory import InstallationRun
from tetraproof.observing.observation import Done
from tetraproof.plugin import collecting
from tetraproof.plugin.session import acknowledgements
from tetraproof.policies.policy import Policy, load
from tetraproof.recordings.recording import INDEX, SUMS, Recording, from_files, open_recording, sealed
from tetraproof.report import pin, result
from tetraproof.report.assembly import policy_result
from tetraproof.report.page import page
from tetraproof.report.result import ClaimResult, Result, RunResult, TargetResult
from tetraproof.report.summary import summary_text
from tetraproof.settings import configuration
from tetraproof.settings.options import check
from tetraproof.targets import Unanswerable
from tetraproof.targets.replay import Replay
from tetraproof.text import safe
from tools import hostile

ROOT = Path(__file__).resolve().parents[1]
NEWEST = ROOT / "recordings/k8s-1.36.2_tetragon-1.7.0_debian-6.12.117"
CHANGED = ROOT / "recordings/k8s-1.36.2_tetragon-1.4.1-disable-kprobe-multi_debian-6.12.117"
#: Of each recording these scenarios are read, with the suites that ask of them.
_SCENARIOS = {
    NEWEST: (("block-fd-install", "files.test_block_fd_install"), ("process-cred", "observe.test_process_cred")),
    CHANGED: (("gap-rollout-restart", ""),),
}

Files = Mapping[str, bytes]
#: The exit code of bad input.
REFUSED = 2


@dataclass(frozen=True)
class Reader:
    """`seeds` are good bytes by path; `spoil` makes one of them bad; `read` reads what lies in a folder.

    It is told which of the paths was made bad, so that it need not read what lies beside it.
    """

    name: str
    seeds: Callable[[], Files]
    spoil: Callable[[random.Random, str, bytes], bytes]
    read: Callable[[Path, str], str]
    #: Of a million cases so many are of it, in thousandths.
    share: int


def by_name(chance: random.Random, path: str, content: bytes) -> bytes:
    """Spoil a file in the way of its kind."""
    if not chance.randrange(20):
        return hostile.in_bytes(chance, content)
    if path.endswith((".jsonl", "pods-watch.txt")):
        return hostile.in_stream(chance, content)
    if path.endswith(".json"):
        return hostile.in_json(chance, content)
    if path.endswith((".yaml", ".yml")):
        return hostile.in_yaml(chance, content)
    return hostile.in_lines(chance, content)


class Refused(Exception):  # noqa: N818 - an end that is wanted
    """Bad input was refused; the message is what a user is told."""


def command(*words: str) -> str:
    """What a command of tetraproof prints. Raises `Refused` where it ends with 2."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main(words)
    if code == REFUSED:
        raise Refused(err.getvalue().strip())
    return f"{out.getvalue()}{err.getvalue()}"


# recordings


@cache
def _recordings() -> dict[str, Files]:
    """Small recordings: those shipped, with a scenario or two of each."""
    made = {}
    for path, scenarios in _SCENARIOS.items():
        files = dict(open_recording(path).files)
        names = {name for name, _ in scenarios}
        told = json.loads(files[INDEX])
        told["scenarios"] = [one for one in told["scenarios"] if one["name"] in names]
        files[INDEX] = json.dumps(told, indent=1).encode()
        kept = {
            name: content
            for name, content in files.items()
            if not name.startswith("scenarios/") or name.split("/")[1] in names
        }
        made[path.name] = {name: content for name, content in kept.items() if name != SUMS}
    return made


def _recorded() -> Files:
    files = {f"{name}/{path}": content for name, files in _recordings().items() for path, content in files.items()}
    pins = json.loads((NEWEST / "expected.json").read_text())
    files[f"{NEWEST.name}/expected.json"] = json.dumps({"block-fd-install": pins["block-fd-install"]}).encode()
    return files


def _read_recording(folder: Path, path: str) -> str:
    """Open, judge and report one, as a run does."""
    name = path.partition("/")[0]
    place = folder / name
    files = {one.relative_to(place).as_posix(): one.read_bytes() for one in place.rglob("*") if one.is_file()}
    expected = None
    if files.pop("expected.json", None) is not None:
        (place / SUMS).write_bytes(sealed(files)[SUMS])
        expected = open_recording(place).expected
        (place / SUMS).unlink()
    scenarios = next(found for whole, found in _SCENARIOS.items() if whole.name == name)
    return judged(from_files(name, sealed(files), expected), scenarios, folder)


def judged(recording: Recording, scenarios: tuple[tuple[str, str], ...], folder: Path) -> str:
    """What a run on a recording says; its result and page are made in `folder`."""
    replay = Replay(recording)
    policies, lines = [], []
    for scenario, suite in scenarios:
        run = _run(replay, scenario, suite)
        if run is None:
            continue
        claims = [one.judge(run) for one in claims_of(suite)] if suite else []
        results = [
            ClaimResult(one.claim.name, one.claim.name, str(one.judgement.verdict), one.judgement.reason)
            for one in claims
        ]
        # a failed test's message is printed as it is
        lines += [one.judgement.reason for one in claims]
        done = [one for one in run.observed.acts.values() if isinstance(one, Done)]
        lines += [of_act("it", one.performed, one.timeline) for one in done]
        told = {"scenario": scenario, "title": scenario, "suite": suite, "unanswerable": "", "titles": {}}
        policies.append(policy_result(scenario, run, claims=results, limits=[], **told))  # type: ignore[arg-type]
    looked = InstallationRun(replay.look().inventory)
    with contextlib.suppress(Undecided):
        lines.append(str((looked.runs, looked.covers_every_node, looked.agents_are_as_asked, looked.sound)))
    held = pin.hold(recording.expected, policies, whole=True) if recording.expected is not None else None
    where = TargetResult("replay", replay.cell, tuple(replay.introduction()), replay.bindings, nodes=replay.nodes)
    run_result = RunResult("fuzz", "", 0.0, "", whole=True)
    (folder / result.FILE).write_bytes(
        result.encode(Result(result.FORMAT, "0", run_result, where, tuple(policies), pins=held))
    )
    whole = result.read(folder)
    page(whole)
    return "\n".join([*lines, *map(safe, replay.introduction()), *summary_text(whole, 120)])


def _run(replay: Replay, scenario: str, suite: str) -> Run | None:
    record = next((one for one in replay.recording.index.scenarios if one.name == scenario), None)
    if record is None:
        return None
    try:
        if record.change:
            return Run(replay.observe_change(record.change, _policy("block-fd-install"), scenario))
        acts: tuple[Act, ...] = tuple(_suite(suite).acts) if suite else ()
        return Run(replay.observe(_policy(scenario) if record.policy else None, {}, acts, scenario), acts)
    except Unanswerable:
        return None


@cache
def _policy(name: str) -> Policy:
    return load(ROOT / f"manifests/policies/{name}.yaml")


@cache
def _suite(name: str) -> ModuleType:
    return importlib.import_module(f"suites.{name}")


@cache
def claims_of(suite: str) -> tuple[Claim, ...]:
    """The promises of a shipped suite, with those that every suite has."""
    common = (collecting.test_applying_is_loading, collecting.test_every_act_is_told)
    own = [body for name, body in vars(_suite(suite)).items() if name.startswith("test_")]
    return tuple(Claim(one.__name__, one, about_loading=one is common[0]) for one in (*common, *own))


# raw records


def _raw() -> Files:
    """Raw records as docs/recordings.md tells them: of one scenario, and of a change."""
    newest, changed = _recordings()[NEWEST.name], _recordings()[CHANGED.name]
    files = {path: content for path, content in newest.items() if path.startswith("environment/")}
    inside, outside = "scenarios/block-fd-install/", "block-fd-install/"
    states = {"state.json": "policy-state.json", "state-after.json": "policy-state-after.json"}
    for path, content in newest.items():
        if path.startswith(inside) and not path.endswith("acts.json"):
            name = path.removeprefix(inside)
            if name in states:
                told = {node: {"policies": said} for node, said in json.loads(content).items()}
                content = json.dumps(told).encode()  # noqa: PLW2901 - in the form of raw records
            files[outside + states.get(name, name)] = content
    acts = json.loads(newest[f"{inside}acts.json"])
    files[f"{outside}probes.json"] = json.dumps(acts).encode()
    files[f"{outside}scenario.json"] = b'{"started": "2026-11-23T07:00:00+00:00", "policy_settled_after_s": 12.5}'
    pod = {
        "metadata": {
            "name": "probe-7c9d8f6b5c-x2x4z",
            "namespace": "other",
            "ownerReferences": [{"kind": "ReplicaSet"}],
        },
        "spec": {"nodeName": "tetra-node"},
        "status": {"podIP": "10.0.0.6"},
    }
    files[f"{outside}pods.json"] = json.dumps({"items": [pod]}).encode()
    gap = "gap-rollout-restart"
    told = json.loads(changed[f"scenarios/{gap}/continuity.json"])
    beats = told["pulses"][0]["beats"][:40]
    files[f"{gap}/acts.txt"] = "".join(f"{one[0]} {one[1]} {one[2]}\n" for one in beats).encode()
    log = [{"time": "2026-11-23T07:00:00+00:00", "what": "acts begin"}, {"time": "2026-11-23T07:09:00Z", "what": "x"}]
    files[f"{gap}/log.json"] = json.dumps(log).encode()
    watched = {"time": "2026-11-23T07:00:03+00:00", "pod": "tetragon-abcde", "phase": "Running", "ready": {"a": True}}
    files[f"{gap}/pods-watch.txt"] = json.dumps(watched).encode() + b"\n"
    files[f"{gap}/policy.yaml"] = changed[f"scenarios/{gap}/policy.yaml"]
    return files


def _convert(folder: Path, path: str) -> str:
    del path
    made = folder.with_name(f"{folder.name}-made")
    shutil.rmtree(made, ignore_errors=True)
    try:
        return command("convert", str(folder), str(made))
    finally:
        shutil.rmtree(made, ignore_errors=True)


# streams, policies, results, settings


def _streams() -> Files:
    newest = open_recording(NEWEST).files
    lines = [*newest["scenarios/block-fd-install/events.jsonl"].splitlines()[:12]]
    lines += newest["scenarios/block-internet-egress/events.jsonl"].splitlines()[:12]
    around = {"stream": "stdout", "time": "2026-11-23T07:00:00Z"}
    wrapped = [json.dumps({"log": f"{one.decode()}\n", **around}) for one in lines]
    shown = json.dumps([json.loads(one) for one in lines[:4]], indent=2)
    cases = ROOT.parent / "shared/cases/events"
    more = {f"{path.stem}.jsonl": path.read_bytes()[:20_000] for path in sorted(cases.glob("*.json*"))[:8]}
    return {
        "plain.jsonl": b"\n".join(lines),
        "wrapped.jsonl": "\n".join(wrapped).encode(),
        "shown.jsonl": shown.encode(),
        **more,
    }


def _show(folder: Path, path: str) -> str:
    forms = (("compact", ()), ("json", ("--pods", "probe")), ("table", ("-e", "exec,kprobe")))
    return "\n".join(command("events", str(folder / path), "-o", form, *words) for form, words in forms)


def _policies() -> Files:
    return {path.name: path.read_bytes() for path in sorted((ROOT / "manifests/policies").rglob("*.yaml"))}


def _lint(folder: Path, path: str) -> str:
    return command("lint", str(folder / path)) + command("lint", str(folder / path), "--json")


@cache
def _result() -> Files:
    """What a run writes of the small recordings."""
    with tempfile.TemporaryDirectory() as place:
        for path, scenarios in _SCENARIOS.items():
            judged(from_files(path.name, sealed(_recordings()[path.name])), scenarios, Path(place))
            (Path(place) / result.FILE).rename(Path(place) / path.name)
        return {f"{path.name}/{result.FILE}": (Path(place) / path.name).read_bytes() for path in _SCENARIOS}


def _report(folder: Path, path: str) -> str:
    run, matrix = str((folder / path).parent), str(folder / "matrix.html")
    # each form in its turn: a page costs more than all the rest
    forms = ((), ("--json",), ("--matrix", matrix))
    return command("report", run, *forms[(folder / path).stat().st_size % len(forms)])


_TOML = b"""\
policies = "policies"
suites = ["suites", "more"]
target = "replay"
slowness = 3.5
cluster-wide = false
acknowledged = "known.yaml"
kernel = "debian:6.12"
values = []
"""
_SHARED = b"[project]\nname = 'mine'\n\n[tool.tetraproof]\n" + _TOML


def _settings() -> Files:
    return {"own/tetraproof.toml": _TOML, "shared/pyproject.toml": _SHARED}


def _configure(folder: Path, path: str) -> str:
    return safe(check(configuration.find((folder / path).parent).options({}), {}))


_KNOWN = b"guard: [tail-calls-refused, other]\nmine: third\n"


def _acknowledge(folder: Path, path: str) -> str:
    return safe(acknowledgements(folder / path))


_KUBECONFIG = b"""\
apiVersion: v1
kind: Config
current-context: one
contexts:
  - name: one
    context: {cluster: here, user: me, namespace: default}
clusters:
  - name: here
    cluster: {server: "https://127.0.0.1:6443", certificate-authority: ca.crt}
users:
  - name: me
    user:
      client-certificate: me.crt
      exec: {apiVersion: v1, command: ./login, args: [a]}
"""


def _copy(folder: Path, path: str) -> str:
    kubeconfig.copy("one", folder / "own", str(folder / path))
    return ""


READERS = (
    Reader("policies", _policies, by_name, _lint, 170),
    Reader("streams", _streams, by_name, _show, 330),
    Reader("recordings", _recorded, by_name, _read_recording, 60),
    Reader("raw", _raw, by_name, _convert, 80),
    Reader("results", _result, by_name, _report, 80),
    Reader("settings", _settings, by_name, _configure, 120),
    Reader("acknowledged", lambda: {"known.yaml": _KNOWN}, by_name, _acknowledge, 80),
    Reader("kubeconfig", lambda: {"config": _KUBECONFIG}, lambda c, _, b: hostile.in_yaml(c, b), _copy, 80),
)
