"""The options of a run: one frozen object, from the command line, from the project's configuration, or by default.

The fields of `Options` are the one list of them. The plugin's options (`--tetraproof-kernel`), those of
`tetraproof test` (`--kernel`), the variables of this repository's make (`KERNEL=`) and the keys of a
configuration (`kernel =`) are all made of it. What a user is told is written as make has it, and `spelled` writes it
as they can type it.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tetraproof.errors import UsageError

TARGETS = ("auto", "replay", "standalone", "kind", "cluster")
LIVE = ("standalone", "kind", "cluster")
KUBERNETES = ("kind", "cluster")

GROUPS = {
    "": "what is judged, where, and where that is written",
    "live": "on every live target",
    "standalone": "on the target standalone",
    "kubernetes": "on the targets kind and cluster",
}


def _option(  # noqa: PLR0913 - each by its name
    default: Any,
    about: str,
    *,
    group: str = "",
    on: tuple[str, ...] = (),
    choices: tuple[str, ...] = (),
    make: str = "",
    metavar: str = "",
    place: bool = False,
) -> Any:
    """A field: its default, what is said of it, the targets on which it means something, make's variable for it.

    Text of a `place` may be a path.
    """
    told = {"about": about, "group": group, "on": on, "choices": choices, "make": make, "metavar": metavar}
    return field(default=default, metadata={**told, "place": place})


@dataclass(frozen=True)
class Options:
    """What a run is told. Paths are as they were given: relative to the folder that they were given in."""

    target: str = _option(
        "auto",
        "where to run (default: auto, which is kind where a container engine answers and kind, kubectl and helm are "
        "there, else replay)",
        choices=TARGETS,
    )
    recording: str = _option(
        "", "replay: the recording, a folder or the name of one (default: the newest)", on=("replay",), place=True
    )
    suites: tuple[Path, ...] = _option((Path("suites"),), "where the suites lie; may be repeated", metavar="DIR")
    policies: Path = _option(Path("policies"), "where the policies lie", metavar="DIR")
    workloads: Path = _option(
        Path("workloads"), "where the workloads lie (default: workloads, else those shipped)", metavar="DIR"
    )
    recordings: Path = _option(Path("recordings"), "where recordings lie that are given by name", metavar="DIR")
    reports: Path = _option(Path("reports"), "where a run writes its report", metavar="DIR")
    run_id: str = _option("", "the name of the run's folder there (default: its time and target)")
    crd: str = _option("", "whose CRD policies are judged by (default: that of 1.7.0)", metavar="VERSION")
    acknowledged: Path | None = _option(
        None, "findings that you know of your policies: a YAML file of `policy: [finding, …]`", metavar="FILE"
    )
    prove: bool = _option(default=False, about="damage every recording, and see that the suites notice")
    typed: str = _option("tetraproof", "how commands are spelled to the user", choices=("tetraproof", "make"))

    agent: str = _option(
        "",
        "have one of our own, or use the one that is there (default: existing on cluster, else install)",
        group="live",
        on=LIVE,
        choices=("install", "existing"),
    )
    agent_options: str = _option(
        "", "the agent's options, without dashes: disable-kprobe-multi rb-size=1M", group="live", on=LIVE
    )
    record: Path | None = _option(None, "write a recording there, a new folder", group="live", on=LIVE, metavar="DIR")
    into: Path | None = _option(
        None,
        "add what is not recorded there yet, and what changed, to this recording",
        group="live",
        on=LIVE,
        metavar="DIR",
    )
    slowness: float = _option(1.0, "every deadline so many times as long (default: 1)", group="live", metavar="N")

    kernel: str = _option(
        "", "debian:6.12, a folder with a vmlinuz, or host", group="standalone", on=("standalone",), place=True
    )
    debian_mirror: str = _option(
        "",
        "where Debian's packages are had, http:… (default: as this machine's apt has them)",
        group="standalone",
        on=("standalone",),
        metavar="URL",
    )
    bundle: str = _option(
        "", "the Tetragon to start: a version, a folder, a .tar.gz", group="standalone", on=("standalone",), place=True
    )
    agent_address: str = _option(
        "", "the gRPC address of an agent that runs (default: the package's socket)", group="standalone"
    )
    images: str = _option(
        "auto",
        "pull the containers' images, or build them (default: auto)",
        group="standalone",
        choices=("auto", "image", "packages"),
        make="IMAGE_SOURCE",
    )
    acceleration: str = _option(
        "auto", "how a guest runs (default: auto)", group="standalone", choices=("auto", "kvm", "emulation")
    )

    context: str = _option(
        "", "cluster: the context of the kubeconfig; there is no default", group="kubernetes", on=("cluster",)
    )
    kubeconfig: str = _option(
        "", "cluster: the kubeconfig (default: KUBECONFIG, else ~/.kube/config)", group="kubernetes", place=True
    )
    nodes: str = _option(
        "", "the nodes to act on, with commas (default: all with an agent)", group="kubernetes", on=KUBERNETES
    )
    pods_range: str = _option("", "the pods' range, where the cluster does not tell it", group="kubernetes")
    services_range: str = _option("", "the services' range, where the cluster does not tell it", group="kubernetes")
    cluster_wide: bool = _option(
        default=False,
        about="apply policies as they are written, on all that runs there",
        group="kubernetes",
        on=KUBERNETES,
    )
    keep_workspace: bool = _option(
        default=False,
        about="keep the run's namespaces and pods for the next run with this, and take those that one kept",
        group="kubernetes",
        on=KUBERNETES,
    )
    tetragon_version: str = _option(
        "", "install: the chart's version (default: 1.7.0)", group="kubernetes", make="TETRAGON"
    )
    chart: str = _option(
        "",
        "install: an oci:// reference, a folder or an archive of the chart",
        group="kubernetes",
        on=KUBERNETES,
        place=True,
    )
    bugtool: bool = _option(
        default=False,
        about="a red run also keeps the archive of tetra bugtool of each agent",
        group="kubernetes",
    )
    upgrade: str = _option("", "install: the chart to upgrade to, as chart has it", group="kubernetes", place=True)
    upgrade_version: str = _option("", "install: its version (default: the newest)", group="kubernetes")
    values: tuple[Path, ...] = _option(
        (), "install: a file of chart values; may be repeated", group="kubernetes", metavar="FILE"
    )
    helm: str = _option("", "install: the helm to use (default: that on PATH)", group="kubernetes", place=True)
    image_archive: tuple[Path, ...] = _option(
        (),
        "kind: an archive of images to load into its nodes; may be repeated",
        group="kubernetes",
        on=("kind",),
        make="IMAGES",
        metavar="FILE",
    )
    kind_config: Path | None = _option(
        None, "kind: the cluster's configuration (default: two workers)", group="kubernetes", metavar="FILE"
    )


@dataclass(frozen=True)
class Described:
    """An option as a parser needs it: `name` with dashes, `form` one of `flag`, `text`, `number`, `path`, `paths`.

    Text of a `place` may be a path.
    """

    name: str
    form: str
    about: str
    group: str
    on: tuple[str, ...]
    choices: tuple[str, ...]
    make: str
    metavar: str
    place: bool = False

    @property
    def attribute(self) -> str:
        """The name of the field."""
        return self.name.replace("-", "_")

    @property
    def argument(self) -> dict[str, Any]:
        """How argparse, and pytest's parser, are told of it; its value is None where it is not given."""
        told: dict[str, Any] = {"help": self.about.replace("%", "%%"), "default": None}
        if self.form == "flag":
            return {**told, "action": "store_true"}
        if self.form in {"path", "paths"}:
            told |= {"type": Path}
        if self.form == "number":
            told |= {"type": float}
        if self.form == "paths":
            told |= {"action": "append"}
        metavar = f"{{{','.join(self.choices)}}}" if self.choices else self.metavar
        return {**told, "metavar": metavar} if metavar else told


_FORMS = {"bool": "flag", "str": "text", "float": "number", "Path": "path", "Path | None": "path"}


def described() -> Iterator[Described]:
    """Every option, in the order of the fields."""
    for one in dataclasses.fields(Options):
        told = one.metadata
        name = one.name.replace("_", "-")
        yield Described(
            name,
            _FORMS.get(str(one.type), "paths"),
            told["about"],
            told["group"],
            told["on"],
            told["choices"],
            told["make"] or one.name.upper(),
            told["metavar"],
            told["place"],
        )


def merged(given: Mapping[str, Any], configured: Mapping[str, Any], here: Path, base: Path) -> Options:
    """The options: what is `given`, else what is `configured`, else the defaults. None is not given.

    Paths that are given are relative to `here`, all others to `base`.
    """
    values: dict[str, Any] = {}
    for one in dataclasses.fields(Options):
        value, folder = given.get(one.name), here
        if value is None or value == []:
            value, folder = configured.get(one.name, one.default), base
        if isinstance(value, Path):
            value = folder / value
        elif isinstance(value, list | tuple):
            value = tuple(folder / part for part in value)
        values[one.name] = value
    return Options(**values)


def check(options: Options, given: Mapping[str, Any]) -> Options:
    """The options, once each is one that there is and means something on the target. Raises `UsageError`."""
    if not 0 < options.slowness < math.inf:
        raise UsageError(f"SLOWNESS={options.slowness:g} is no number of times.", remedy="write one above 0, such as 3")
    for one in described():
        value = getattr(options, one.attribute)
        if one.choices and value not in {"", *one.choices}:
            raise UsageError(f"There is no {one.name} {value!r}.", remedy=f"choose one of {', '.join(one.choices)}")
        if given.get(one.attribute) and one.on and options.target not in one.on:
            raise UsageError(
                f"{one.make}= means nothing where the target is {options.target}.",
                remedy=f"add TARGET={one.on[0]}, or leave it out",
            )
    return options


#: pytest-kind's own options, by make's variables.
OTHERS = {
    "KIND": "kind-bin",
    "KUBECTL": "kind-kubectl-bin",
    "NODE_IMAGE": "kind-image",
    "CLUSTER_NAME": "cluster-name",
    "KEEP": "keep-cluster",
}
_FLAGS = {"KEEP", "YES"}


def spelled(text: str, typed: str) -> str:
    """`text` with make's variables (`KERNEL=host`) as the user types them: `--kernel host` of `tetraproof test`.

    A value is as a shell has it: quoted, or one word without the punctuation of the sentence around it.
    """
    if typed == "make":
        return text
    names = {one.make: one for one in described()}
    others = {**OTHERS, "K": "k", "YES": "yes"}

    def option(found: re.Match[str]) -> str:
        command, variable, value = found.groups()
        if command:
            return f"tetraproof {command}"
        name = "-k" if variable == "K" else f"--{names[variable].name if variable in names else others[variable]}"
        flag = variable in _FLAGS or (variable in names and names[variable].form == "flag")
        if flag or not value:
            return name
        return f"{name}={value}" if value.startswith(("-", "'-")) else f"{name} {value}"

    known = "|".join(sorted({*names, *others}, key=len, reverse=True))
    quoted, folder, word = r"""'[^']*'(?:"'"'[^']*')*""", r"(?:[^\s']*/)?\.\.?(?=\s|$)", r"[^\s']*[^\s',;.)]"
    return re.sub(rf"\bmake (test|prove|clean-cluster)\b|(?<![\w-])({known})=({quoted}|{folder}|{word}|)", option, text)
