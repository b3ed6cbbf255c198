"""The target of a run: opened from the options before anything else, closed after everything else."""

from __future__ import annotations

import dataclasses
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tetraproof import decoding
from tetraproof.decoding import Source
from tetraproof.errors import TetraproofError, UsageError
from tetraproof.kubernetes.kind.engine import Engine
from tetraproof.kubernetes.kind.engine import find as find_engine
from tetraproof.pacing.account import Account
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Narrator
from tetraproof.plugin.terminal import Progress, end_on_terminate, patient
from tetraproof.recordings.recording import INDEX, Recording, open_recording, recordings_in
from tetraproof.settings import extra, shipped
from tetraproof.settings.options import OTHERS, Described, Options, described, spelled
from tetraproof.targets import Target
from tetraproof.targets.live import Live
from tetraproof.targets.renewing import Renewing
from tetraproof.targets.replay import Replay

#: The newest shipped cell in which the guide's policies load.
DEFAULT_RECORDING = "k8s-1.36.2_tetragon-1.7.0_debian-6.12.117"
#: That `auto` took replay, and why.
AUTO = pytest.StashKey[str]()
#: The name of pytest-kind's cluster.
DEFAULT_CLUSTER = "pytest-kind"
#: Options of one run alone, which the next one is not told again.
_ONCE = {"target", "typed", "reports", "run_id", "record", "into", "prove", "slowness"}


@dataclass
class Opened:
    """A target that is open. `words` are what selects it again, `closing` what is to be done at the end, in order.

    `project` is what of the words any other target is told as well: where suites and policies lie. `keep` writes what
    a live one observed into a folder, `account` says where its time went.
    """

    target: Target
    words: str
    recording: Recording | None = None
    closing: tuple[Callable[[], None], ...] = ()
    evidence: Callable[[], None] | None = None
    keep: Callable[[Path], None] | None = None
    account: Account = field(default_factory=Account)
    project: str = ""

    def close(self, folder: Path | None, *, red: bool) -> None:
        """Close it; a live one's recording is kept in `folder`, if one is named, evidence if it is red."""
        kept = folder is None or self.keep is None
        try:
            if folder is not None and self.keep:
                self.keep(folder)
                kept = True
        finally:
            closing, self.closing = self.closing, ()
            try:
                if self.evidence and (red or not kept):
                    self.evidence()
            finally:
                with patient():
                    _all(closing)


def recording_of(options: Options) -> Recording:
    """The recording that the options name."""
    return open_recording(recording_path(options))


def name_of(options: Options, config: pytest.Config) -> str:
    """What a run is called after: its recording, or its target and kernel or cluster."""
    asked = options.target
    if asked == "standalone":
        kernel = options.kernel.rstrip("/").rpartition("/")[2] or "nowhere"
        return f"standalone-{kernel.replace(':', '-')}"
    if asked in {"kind", "cluster"}:
        named = config.getoption("cluster_name", "") if asked == "kind" else options.context
        return f"{asked}-{re.sub(r'[^A-Za-z0-9.-]+', '-', named)}".strip("-")
    return recording_path(options).name


def nodes_of(options: Options, config: pytest.Config) -> list[str]:
    """The nodes that a cluster has, or will have, by which tests may be called; nothing is made to ask for them.

    Raises `TetraproofError`.
    """
    if options.target not in {"kind", "cluster"}:
        return []
    for needed in dict.fromkeys((options.target, "cluster")):
        extra.need(needed, f"The target {options.target}")
    from tetraproof.plugin import on_cluster  # noqa: PLC0415 - of an extra

    return on_cluster.nodes_of(options, config)


def open_target(options: Options, given: Mapping[str, Any], config: pytest.Config, directory: Path) -> Opened:
    """The target that the options name; `directory` is the run's own. Raises `TetraproofError`."""
    # first where, then what
    words = f"TARGET={options.target} {_words(given, sorted(described(), key=lambda one: not one.on))}".rstrip()
    if options.target == "kind":
        words = " ".join([words, *_words_of_kind(config)])
    if options.target == "replay":
        recording = recording_of(options)
        return Opened(
            Replay(recording), words, recording, project=_words(given, (one for one in described() if not one.on))
        )
    if given.get("workloads") and not options.workloads.is_dir():
        raise UsageError(
            f"There is no folder {options.workloads} of workloads.", remedy="name one with WORKLOADS=, or leave it out"
        )
    return _open_live(options, words, config, directory)


def _open_live(options: Options, words: str, config: pytest.Config, directory: Path) -> Opened:
    _check_destination(options)
    tell = Narrator(Progress(config, options.typed))
    config.add_cleanup(tell.close)
    settings = agent_settings(options.agent_options)
    end_on_terminate()
    if options.target == "standalone":
        extra.need("standalone", "The target standalone")
        from tetraproof.plugin.on_machine import open_on_machine  # noqa: PLC0415 - of an extra

        deadlines = Deadlines().scaled(options.slowness)
        try:
            live, machine = open_on_machine(options, directory, deadlines, tell, settings)
        except KeyboardInterrupt as interrupt:
            # whoever opens it removes it then, as far as it came
            interrupt.add_note("what was made is removed")
            raise
        return _live(live, options, words, directory, machine.close)
    for needed in dict.fromkeys((options.target, "cluster")):
        extra.need(needed, f"The target {options.target}")
    from tetraproof.plugin import on_cluster  # noqa: PLC0415 - likewise

    if options.target == "kind":
        config.pluginmanager.register(on_cluster, on_cluster.__name__)
    opened = on_cluster.open_on_cluster(options, config, directory, tell, settings)

    def evidence() -> None:
        for problem in opened.evidence(bugtool=options.bugtool):
            tell(f"not kept as evidence: {problem}")

    return _live(opened.live, options, words, directory, opened.ending.close, evidence=evidence)


def _check_destination(options: Options) -> None:
    """See that what is observed can be kept where it is asked for, before anything is started. Raises what keeps it."""
    record = options.record
    if record is not None and record.exists() and (not record.is_dir() or any(record.iterdir())):
        raise UsageError(
            f"{record} is there already, and is no empty folder.", remedy="name a new folder, or add to it with INTO="
        )
    if record is not None and options.into is not None:
        raise UsageError("RECORD= makes a recording and INTO= adds to one.", remedy="leave one of them out")
    into = _there(options.into)
    if into is not None:
        open_recording(into)


def _live(
    live: Live,
    options: Options,
    words: str,
    directory: Path,
    *closing: Callable[[], None],
    evidence: Callable[[], None] | None = None,
) -> Opened:
    """A live target that is open: it is added to a recording, or observes into one of its own."""
    into = _there(options.into)
    if into is None:
        return Opened(live, words, None, closing, evidence, live.recorder.write, live.account)
    try:
        renewing = Renewing(live, into)
    except BaseException:
        with patient():
            _all(closing)
        raise

    def all_of_it() -> None:
        """Also what does not take the place of anything."""
        _all((lambda: live.recorder.write(directory / "recording"), *([evidence] if evidence else [])))

    return Opened(renewing, words, None, closing, all_of_it, renewing.write, live.account)


def _there(into: Path | None) -> Path | None:
    """The recording to add to, where there is one: an empty folder holds none yet."""
    if into is None or not into.exists() or (into.is_dir() and not any(into.iterdir())):
        return None
    return into


def chosen(options: Options, config: pytest.Config) -> Options:
    """The options with the target that `auto` stands for here, and with what pytest-kind's own of that name says."""
    options = dataclasses.replace(options, kubeconfig=options.kubeconfig or config.getoption("kubeconfig", None) or "")
    if options.target != "auto":
        return options
    try:
        answering = _engine_for_kind(options, config)
    except UsageError as error:
        live = "" if options.recording or options.prove else "; TARGET=kind runs live where nothing does"
        config.stash[AUTO] = spelled(f"TARGET=auto takes replay: {error.sentence.rstrip('.')}{live}", options.typed)
        return dataclasses.replace(options, target="replay")
    tell = Progress(config, options.typed)
    tell(f"TARGET=auto takes kind, as {answering} answers: a cluster of containers is made here, Tetragon installed in")
    tell("  it, and all of it deleted at the end, which takes minutes; Ctrl-C ends it in order")
    tell("  TARGET=replay judges a recorded run instead, in seconds")
    return dataclasses.replace(options, target="kind")


def _engine_for_kind(options: Options, config: pytest.Config) -> Engine:
    """The container engine that kind would use. Raises `UsageError` with what keeps `auto` from kind."""
    for option in ("recording", "prove"):
        if getattr(options, option):
            raise UsageError(f"{option.upper()}= is of replay")
    paths = {"kind": config.getoption("kind_bin", ""), "kubectl": config.getoption("kind_kubectl_bin", "")}
    missing = [name for name, path in {**paths, "helm": options.helm}.items() if not shutil.which(path or name)]
    if missing:
        raise UsageError(f"{', '.join(missing)} not on PATH")
    if not (extra.has("kind") and extra.has("cluster")):
        raise UsageError("the extra kind is not installed")
    return find_engine()


def workloads_of(options: Options) -> Path:
    """Where the workloads lie: the project's own, or those shipped where it has none."""
    return options.workloads if options.workloads.is_dir() else shipped.root() / "manifests/workloads"


def agent_settings(text: str) -> dict[str, str]:
    """The agent's options as the user writes them: `disable-kprobe-multi rb-size=1M`. Raises `UsageError`."""
    settings = {}
    for word in text.replace(",", " ").split():
        name, _, value = word.removeprefix("--").partition("=")
        if not name.replace("-", "").isalnum():
            raise UsageError(f"AGENT_OPTIONS: {word!r} is no option.", remedy="write name=value, or the name alone")
        settings[name] = value or "true"
    return settings


def _all(steps: tuple[Callable[[], None], ...]) -> None:
    """Take every step, whatever becomes of the ones before."""
    if steps:
        try:
            steps[0]()
        finally:
            _all(steps[1:])


def _words_of_kind(config: pytest.Config) -> Iterator[str]:
    """What pytest-kind was told, as make has it."""
    for make, name in OTHERS.items():
        value = config.getoption(name.replace("-", "_"), None)
        if value and value != DEFAULT_CLUSTER:
            yield f"{make}={1 if value is True else shlex.quote(str(value))}"


def _words(given: Mapping[str, Any], options: Iterable[Described]) -> str:
    """What was given of these options, as make has it; that of one run alone is left out."""
    words = []
    for one in options:
        value = given.get(one.attribute)
        if value and one.attribute not in _ONCE:
            parts = value if isinstance(value, list) else [value]
            if given.get("typed") == "make":  # a variable that is given twice is the last one alone
                parts = [" ".join(map(str, parts))]
            words += [f"{one.make}={1 if one.form == 'flag' else shlex.quote(str(part))}" for part in parts]
    return " ".join(words)


def recording_path(options: Options) -> Path:
    """Where the recording lies that the options name. Raises `UsageError`."""
    given = options.recording
    places = [options.recordings, shipped.root() / "recordings"]
    if not given:
        own = latest(places[0]) if not shipped.within(places[0]) else None
        return own or places[1] / DEFAULT_RECORDING
    for path in (Path(given), *(place / given for place in places)):
        if path.is_dir():
            return path
    known = ", ".join(dict.fromkeys(path.name for place in places for path in recordings_in(place)))
    raise UsageError(f"There is no recording {given}.", remedy=f"there are {known}")


class _Begun(Struct):
    """What is read of a scenario."""

    started: str = ""


class _Recorded(Struct):
    """What is read of a recording's index."""

    scenarios: list[_Begun]


def latest(folder: Path) -> Path | None:
    """The recording in a folder of recordings whose scenarios began last; none where there is none."""
    found = []
    for index in (path / INDEX for path in recordings_in(folder)):
        with suppress(TetraproofError):  # a bad one is told when it is named
            source = Source(index, "")
            told: _Recorded = decoding.as_json(decoding.read_file(index, source), _Recorded, source)
            found.append((max((one.started for one in told.scenarios), default=""), index.parent))
    return max(found)[1] if found else None
