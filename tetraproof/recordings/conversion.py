"""Raw records of a real run, made into a recording.

The raw form is a folder with `environment/` and one folder for each scenario
(docs/recordings.md). What is not there is left empty and told, never invented.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from tetraproof import decoding
from tetraproof.errors import RawRecordError, RecordingError
from tetraproof.events.event import Event, parse
from tetraproof.events.loss import keep
from tetraproof.observing.gap import ExitCode
from tetraproof.observing.timeline import END, START
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.policies.capability import OPTIONS
from tetraproof.policies.policy import parse as parse_policy
from tetraproof.recordings import gap_record
from tetraproof.recordings.discretion.neutral import of_this_machine
from tetraproof.recordings.environment import Environment, workloads_in
from tetraproof.recordings.objects import REMEDY, Settings, check_times, read_json, read_names, read_text, source_of
from tetraproof.recordings.record import Number
from tetraproof.recordings.recorder import as_json
from tetraproof.recordings.recording import (
    FORMAT,
    INDEX,
    ActRecord,
    Index,
    NodeRecord,
    Provenance,
    ScenarioRecord,
    from_files,
    sealed,
)

#: What of an act is kept as it was recorded, beside the act itself.
_KEPT = ("stdin", "tty", "stdout", "stderr", "cpu", "started", "ended")
_NO_EXIT_CODE = "the record holds no exit code"
#: raw name -> name in a recording, copied as they are
_COPIED = {
    "policy.yaml": "policy.yaml",
    "events.jsonl": "events.jsonl",
    "events.compact.txt": "events.compact.txt",
    "export-stdout.log": "export.jsonl",
    "export.compact.txt": "export.compact.txt",
    "export.compact.galaxy-tiefighter.txt": "export.compact.galaxy-tiefighter.txt",
    "agent.log": "agent.log",
}


class _About(Struct):
    """What `scenario.json` says of the whole."""

    stream_alive_to_end: bool | None = None
    policy_settled_after_s: Annotated[float, Meta(ge=0)] | None = None
    started: str = ""


class _Probe(Struct):
    """One act in `probes.json`, as far as it is read."""

    namespace: str
    pod: str
    argv: Annotated[tuple[str, ...], Meta(min_length=1)]
    id: str = ""
    exit_code: ExitCode | None = None
    error: str | None = None
    node: str | None = None
    stdin: str | None = None
    tty: bool | None = None
    stdout: str | None = None
    stderr: str | None = None
    cpu: Number | None = None
    started: str | None = None
    ended: str | None = None


class _States(Struct):
    """What `tetra tracingpolicy list -o json` says."""

    policies: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Choice:
    """What of the raw records becomes the recording: all, unless something is chosen.

    `only` and `without` choose scenarios by name, `export` those whose export log is kept. `trim` leaves out the
    events of processes outside the namespaces acted in. Whatever is left out is told in the recording. `names` are what
    folders of the machine that recorded are called, besides those of this one.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    export: tuple[str, ...] | None = None
    trim: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def named(self) -> tuple[str, ...]:
        """Every scenario that is named."""
        return (*self.only, *self.without, *(self.export or ()))

    def takes(self, scenario: str) -> bool:
        """Whether this scenario becomes part of the recording."""
        return scenario not in self.without and (not self.only or scenario in self.only)


def convert(raw: Path, choice: Choice = Choice()) -> dict[str, bytes]:
    """The files of a recording made of the raw records in `raw`, not yet sealed. Raises `RawRecordError`."""
    environment = Environment(raw)
    folders = [path for path in sorted(raw.iterdir()) if (path / "probes.json").is_file() or gap_record.is_one(path)]
    known = {path.name for path in folders}
    for name in choice.named:
        if name not in known:
            raise RawRecordError(f"{raw} has no scenario {name}.", remedy=f"it has {', '.join(sorted(known))}")
    chosen = [path for path in folders if choice.takes(path.name)]
    if not chosen:
        raise RawRecordError(
            f"{raw} holds no scenario: no folder in it has a probes.json, or a change's acts.txt.",
            remedy="name the folder of one cell; docs/recordings.md tells its form",
        )
    left_out = [f"environment/{name}" for name in ("crds.json",) if (raw / "environment" / name).is_file()]
    left_out += [f"kernel.config: options that do not match {OPTIONS.pattern}"] if environment.config else []
    left_out += [f"scenario {path.name}" for path in folders if path not in chosen]
    if choice.export is not None:
        left_out.append(f"export logs of all scenarios but {', '.join(choice.export)}")
    left_out += [
        f"{path.name}: neither a probes.json nor the record of a change, so no scenario"
        for path in sorted(raw.iterdir())
        if path.is_dir() and path.name != "environment" and path.name not in known
    ]
    names = of_this_machine({}, choice.names)
    files = names.environment(dict(environment.files()))
    scenarios = []
    for folder in chosen:
        convert_one = _change if gap_record.is_one(folder) else _scenario
        record, content = names.scenario(*convert_one(folder, environment, choice))
        scenarios.append(record)
        files |= {f"scenarios/{folder.name}/{name}": data for name, data in content.items()}
    index = Index(
        FORMAT,
        environment.cell(),
        Provenance(
            recorded=min((scenario.started for scenario in scenarios if scenario.started), default=""),
            where=environment.where(),
            made_by="raw records",
            left_out=tuple(left_out),
        ),
        environment.nodes,
        environment.bindings(folders),
        environment.settings,
        tuple(scenarios),
    )
    files[INDEX] = as_json(names.index(index))
    try:
        from_files(raw.name, sealed(files))
    except RecordingError as error:
        raise RawRecordError(
            "The raw records make no recording that could be judged.", causes=[error.sentence], remedy=REMEDY
        ) from error
    return files


def _scenario(folder: Path, environment: Environment, choice: Choice) -> tuple[ScenarioRecord, dict[str, bytes]]:
    about = read_json(folder / "scenario.json", _About) or _About()
    check_times({"started": about.started}, folder / "scenario.json")
    workloads = workloads_in(folder / "pods.json")
    acts = tuple(_acts(folder, workloads, environment))
    content = {name: (folder / raw).read_bytes() for raw, name in _COPIED.items() if (folder / raw).is_file()}
    notes = [] if content.get("events.jsonl") else ["no event stream was recorded"]
    content.setdefault("events.jsonl", b"")
    content["acts.json"] = as_json(acts)
    content |= _told_of_policy(folder, environment)
    if choice.export is not None and folder.name not in choice.export:
        content = {name: data for name, data in content.items() if not name.startswith("export.")}
    if choice.trim:
        content, note = _trimmed(content, acts)
        notes += [note] if note else []
    configured = read_names(folder / "configmap.json", Settings) or Settings()
    record = ScenarioRecord(
        folder.name,
        "policy.yaml" in content,
        about.stream_alive_to_end,
        about.policy_settled_after_s,
        about.started,
        {name: value for name, value in configured.values.items() if environment.settings.get(name) != value},
        Bindings(workloads),
        tuple(notes),
    )
    return record, content


def _change(folder: Path, environment: Environment, choice: Choice) -> tuple[ScenarioRecord, dict[str, bytes]]:
    """A change of the installation, with the act that was repeated meanwhile."""
    del choice
    told = gap_record.read(folder, environment.nodes[0].name)
    policy = read_text(folder / "policy.yaml")
    if policy is None:
        raise RawRecordError(f"{folder} has no policy.yaml: what enforced the acts is not known.", remedy=REMEDY)
    parse_policy(policy, str(folder / "policy.yaml"), recorded=True)
    started = min((happening.at for happening in told.happenings), default=None)
    record = ScenarioRecord(
        folder.name,
        started=datetime.fromtimestamp(started, UTC).isoformat() if started is not None else "",
        change=told.change,
    )
    return record, {"continuity.json": msgspec.json.encode(told) + b"\n", "policy.yaml": policy.encode()}


def _told_of_policy(folder: Path, environment: Environment) -> dict[str, bytes]:
    """The agent's word on the policy before and after the acts, and the metrics that speak of it."""
    content: dict[str, bytes] = {}
    name, namespace = "", ""
    policy = read_text(folder / "policy.yaml")
    if policy is not None:
        namespace, name = parse_policy(policy, str(folder / "policy.yaml"), recorded=True).key
        content["state.json"] = b"{}\n"
    for raw, kept in (("policy-state", "state"), ("policy-state-after", "state-after")):
        states = _states(folder, raw, environment.nodes)
        if states is not None:
            # whatever else was in force there is somebody else's
            own = {
                node: [one for one in told if (str(one.get("namespace", "")), one.get("name")) == (namespace, name)]
                for node, told in states.items()
            }
            content[f"{kept}.json"] = as_json(own)
    for metrics in folder.glob("metrics-*.txt"):
        lines = (read_text(metrics) or "").splitlines()
        content[metrics.name] = ("\n".join(line for line in lines if keep(line, name)) + "\n").encode()
    return content


def _acts(
    folder: Path, workloads: Mapping[str, tuple[PodBinding, ...]], environment: Environment
) -> Iterator[ActRecord]:
    nodes = {(pod.namespace, pod.name): pod.node for pods in workloads.values() for pod in pods}
    for number, probe in enumerate(read_json(folder / "probes.json", list[_Probe]) or ()):
        name = probe.id or f"act-{number}"
        at = f"act {number}"
        check_times({f"{at}: started": probe.started, f"{at}: ended": probe.ended}, folder / "probes.json")
        told = {key: value for key in _KEPT if (value := getattr(probe, key)) is not None}
        yield ActRecord(
            id=name,
            namespace=probe.namespace,
            pod=probe.pod,
            argv=probe.argv,
            exit_code=probe.exit_code,
            broken="" if probe.exit_code is not None else probe.error or _NO_EXIT_CODE,
            node=probe.node or nodes.get((probe.namespace, probe.pod)) or environment.nodes[0].name,
            role=next((role for role in (START, END) if name.startswith(role)), "act"),
            **told,
        )


def _trimmed(content: dict[str, bytes], acts: Sequence[ActRecord]) -> tuple[dict[str, bytes], str]:
    namespaces = {act.namespace for act in acts}
    kept: dict[str, bytes] = {}
    left = 0
    for name, compact in (("events.jsonl", "events.compact.txt"), ("export.jsonl", "export.compact.txt")):
        lines = content.get(name, b"").splitlines(keepends=True)
        parsed = [parse(line) for line in lines]
        stay = [not isinstance(event, Event) or event.pod.partition("/")[0] in namespaces for event in parsed]
        if name in content:
            kept[name] = b"".join(line for line, stays in zip(lines, stay, strict=True) if stays)
        # tetra prints a line for each event, and none for what is no event
        printed = [stays for event, stays in zip(parsed, stay, strict=True) if isinstance(event, Event)]
        shown = content.get(compact, b"").splitlines(keepends=True)
        kept[compact] = b""
        if len(shown) == len(printed):
            kept[compact] = b"".join(line for line, stays in zip(shown, printed, strict=True) if stays)
        left += stay.count(False)
    note = f"trimmed: {left} events of processes outside the namespaces acted in were left out" if left else ""
    return {**content, **{name: data for name, data in kept.items() if name in content}}, note


def _states(folder: Path, raw: str, nodes: Sequence[NodeRecord]) -> dict[str, list[dict[str, Any]]] | None:
    """What `tetra tracingpolicy list` said, by node: as JSON, or as its table where only that was kept."""
    path = folder / f"{raw}.json"
    told = read_json(path, dict[str, Any])
    if told is None:
        table = read_text(folder / f"{raw}.txt")
        return None if table is None else {nodes[0].name: _table(table)}
    if "policies" in told or not told:
        told = {nodes[0].name: told}
    said: dict[str, _States] = decoding.as_kind(told, dict[str, _States], source_of(path))
    return {node: one.policies or [] for node, one in said.items()}


def _table(text: str) -> list[dict[str, Any]]:
    """The rows of `tetra tracingpolicy list`, as its JSON has them. A column begins where its name does."""
    header, *rows = text.splitlines() or [""]
    names = [(found.start(), found[0]) for found in re.finditer(r"\S+", header)]
    ends = [start for start, _ in names[1:]] + [None]
    told = []
    for row in rows:
        cells = {name: row[start:end].strip() for (start, name), end in zip(names, ends, strict=True)}
        namespace = cells.get("NAMESPACE", "")
        told.append(
            {
                "name": cells.get("NAME", ""),
                "namespace": "" if namespace == "(global)" else namespace,
                "state": cells.get("STATE", ""),
                "mode": cells.get("MODE", ""),
            }
        )
    return told
