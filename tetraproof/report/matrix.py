"""The matrix: several results side by side, one row for each policy and one column for each cell.

Cases of the policy language are rows by feature, in the groups of the language. The page is read without its script,
which searches, chooses and sorts. Of very many cells `nightly/grid.py` makes the page, for a terminal
`nightly/listing.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from msgspec.structs import replace

from tetraproof.recordings.recording import Cell
from tetraproof.report import label
from tetraproof.report.result import PolicyResult, Result
from tetraproof.report.template import render
from tetraproof.text import shorten
from tetraproof.verdict import Verdict

#: What stands where a cell lacks the policy.
LACKS = "—"
#: Of more cells no column can be read: they are marks of a grid, and counted in texts.
MOST_COLUMNS = 40
#: What a field may be, the gravest first. A violation is `new` where no finding explains it.
KINDS = {
    "new": "unexplained violation",
    "inconclusive": "inconclusive",
    "known": "known violation",
    "unsupported": "unsupported",
    "conforms": "conforms",
    "unrecorded": "unrecorded",
}
#: What is known of verdicts besides their runs, by the address of each.
Standing = Mapping[str, Sequence[str]]
NOTHING: Standing = {}
_SELECTORS = "other selectors"
#: The groups of the policy language, with the first part of their features; what is in none is a selector.
GROUPS = {
    "hooks": ("kprobes", "fentries", "tracepoints", "lsmhooks", "uprobes", "usdts", "lists", "loader", "enforcers"),
    "arguments": ("args", "returnArg", "data", "label"),
    "matchArgs": ("matchArgs",),
    _SELECTORS: (),
    "actions": ("matchActions", "matchReturnActions"),
    "options": ("options", "podSelector", "containerSelector", "hostSelector", "nodeSelector"),
}
_VIOLATES, _UNRECORDED = str(Verdict.VIOLATES), str(Verdict.UNRECORDED)
_FIRST_PART = re.compile(r"[^./]*")
_AXIS_VALUE = 120


@dataclass(frozen=True)
class Field:
    """One policy in one cell. `standing` is what other runs of the cell and past matrices say of its verdict."""

    policy: PolicyResult
    href: str
    reason: str
    kind: str
    passes: tuple[str, ...]
    standing: tuple[str, ...] = ()

    @property
    def sort(self) -> str:
        """Which of `KINDS` it is."""
        return sort_of(self.policy.verdict, known=label.gravity(self.policy) > 0)


@dataclass(frozen=True)
class Column:
    """One cell, with the address of its run's page, and what tells it from another of the same title."""

    result: Result
    href: str
    apart: str = ""

    @property
    def coordinates(self) -> tuple[str, ...]:
        """What it is on each axis."""
        return tuple(coordinates(self.result.target.cell, self.result.target.kind).values())


@dataclass(frozen=True)
class Row:
    """One policy in every cell; nothing where a cell lacks it. `feature` says what of the language it is a case of."""

    name: str
    fields: tuple[Field | None, ...]
    feature: str = ""

    @property
    def recorded(self) -> tuple[bool, ...]:
        """Which cells have a record of the policy."""
        return tuple(bool(field and field.policy.verdict != _UNRECORDED) for field in self.fields)

    @property
    def unlike(self) -> bool:
        """Whether the cells that could judge the policy differ in its verdict."""
        verdicts = {field.policy.verdict for field in self.fields if field}
        return len(verdicts - {_UNRECORDED}) > 1

    @property
    def gravity(self) -> int:
        """How much it wants to be looked at: what the gravest of its fields is among `KINDS`."""
        order = list(KINDS)
        return min((order.index(field.sort) for field in self.fields if field and field.sort in order), default=9)


@dataclass(frozen=True)
class Table:
    """Rows that belong together, and by number those cells that have a record of any of them."""

    name: str
    rows: tuple[Row, ...]
    shown: tuple[int, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many of its recorded fields are what, the gravest first."""
        return counted(field.sort for row in self.rows for field in row.fields if field)

    @property
    def doubles(self) -> frozenset[str]:
        """The features that several rows are cases of."""
        return frozenset(feature for feature, times in Counter(row.feature for row in self.rows).items() if times > 1)


@dataclass(frozen=True)
class Numbers:
    """One policy of very many cells: how many say what of it."""

    name: str
    counts: Mapping[str, int]


def matrix(results: Sequence[tuple[str, Result]], standing: Standing = NOTHING) -> str:
    """The matrix as HTML. With each result comes the path to its page, relative to the matrix."""
    cells = by_node(results)
    columns = columns_of(cells)
    tables = tables_of(rows_of(cells, standing), len(columns))
    policies = [table for table in tables if not table.name]
    groups = [table for table in tables if table.name]
    return _page(
        axes_of(coordinates(column.result.target.cell, column.result.target.kind) for column in columns),
        lead(sum(len(one.rows) for one in policies), sum(len(one.rows) for one in groups), len(columns)),
        cells=len(columns),
        columns=columns,
        policies=policies[0] if policies else None,
        groups=groups,
    )


def board(axes: Mapping[str, Sequence[str]], told: str, numbers: Sequence[Numbers], packed: str) -> str:
    """The matrix of very many cells as HTML: its script draws what is in view of the data that are `packed`."""
    return _page(axes, told, cells=True, numbers=numbers, board=packed)


def _page(axes: Mapping[str, Sequence[str]], told: str, **values: object) -> str:
    alike = {axis: own[0] for axis, own in axes.items() if len(own) == 1}
    given = {"columns": (), "policies": None, "groups": (), "numbers": (), "board": "", **values}
    return render("matrix.html.j2", axes=axes, alike=alike, lead=told, kinds=KINDS, lacks=LACKS, **given)


def lead(policies: int, features: int, cells: int) -> str:
    """What the matrix is of, in a clause."""
    parts = [_several(policies, "policy", "policies")] if policies or not features else []
    parts += (
        [_several(features, "feature of the policy language", "features of the policy language")] if features else []
    )
    return f"{' and '.join(parts)} on {_several(cells, 'cell', 'cells')}"


def _several(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def by_node(results: Sequence[tuple[str, Result]]) -> list[tuple[str, Result]]:
    """A result for each cell: one of several nodes is taken apart, for nodes on different kernels are different cells.

    What is of no node (an installation, a change of it) is told with each.
    """
    cells: list[tuple[str, Result]] = []
    for path, result in results:
        acted = [node for node in result.target.nodes if any(_is_on(policy, node) for policy in result.policies)]
        for node in acted:
            kernel = result.target.nodes[node]
            cell = replace(result.target.cell, kernel=f"{kernel} ({node})")
            own = [policy for policy in result.policies if not any(_is_on(policy, one) for one in acted if one != node)]
            target = replace(result.target, cell=cell, nodes={node: kernel})
            cells.append((path, replace(result, target=target, policies=tuple(own))))
        if not acted:
            cells.append((path, result))
    return cells


def columns_of(cells: Sequence[tuple[str, Result]]) -> list[Column]:
    """A column for each cell; where another one has its title too, with the recording that it is."""
    titles = Counter(result.target.cell.title for _, result in cells)
    return [
        Column(result, quote(path), result.target.recording if titles[result.target.cell.title] > 1 else "")
        for path, result in cells
    ]


def rows_of(cells: Sequence[tuple[str, Result]], standing: Standing = NOTHING) -> list[Row]:
    """A row for each policy, in the order in which they are met."""
    twice = label.several(result for _, result in cells)
    columns: list[dict[str, Field]] = []
    order: dict[str, str] = {}
    for path, result in cells:
        own = "".join(f"@{node}" for node in result.target.nodes)
        names = [name.removesuffix(own) for name in label.names(result, twice)]
        fields = [
            _field(policy, f"{quote(path)}#{anchor}", standing)
            for policy, anchor in zip(result.policies, label.anchors(result), strict=True)
        ]
        columns.append(dict(zip(names, fields, strict=True)))
        for name, field in zip(names, fields, strict=True):
            order[name] = order.get(name) or field.policy.feature
    rows = [Row(name, tuple(column.get(name) for column in columns), feature) for name, feature in order.items()]
    # what no cell has a record of says nothing of any; where that is all there is, it is told
    return [row for row in rows if any(row.recorded)] or rows


def tables_of(rows: Sequence[Row], cells: int) -> list[Table]:
    """The policies, named by nothing, and the groups of the policy language; in each what is gravest comes first."""
    by_group: dict[str, list[Row]] = {name: [] for name in ("", *GROUPS)}
    for row in sorted(rows, key=lambda row: row.gravity):
        by_group[group_of(row.feature)].append(row)
    return [Table(name, tuple(own), _shown(own, cells)) for name, own in by_group.items() if own]


def _shown(rows: Sequence[Row], cells: int) -> tuple[int, ...]:
    recorded = [row.recorded for row in rows]
    return tuple(at for at in range(cells) if any(one[at] for one in recorded)) or tuple(range(cells))


def group_of(feature: str) -> str:
    """The group of the policy language that a feature is in; of none, nothing."""
    first = _FIRST_PART.match(feature)
    if not feature or not first:
        return ""
    return next((name for name, parts in GROUPS.items() if first[0] in parts), _SELECTORS)


def called(features: Mapping[str, str]) -> dict[str, str]:
    """What each row is called, given its feature by its name: by the feature, or by its name where it is of none.

    Where several are cases of one feature, by both.
    """
    times = Counter(features.values())
    return {
        name: (feature if times[feature] == 1 else f"{feature} ({name})") if feature else name
        for name, feature in features.items()
    }


def sort_of(verdict: str, *, known: bool) -> str:
    """Which of `KINDS` a verdict is."""
    if verdict != _VIOLATES:
        return verdict
    return "known" if known else "new"


def counted(sorts: Iterable[str]) -> dict[str, int]:
    """How many are what, the gravest first; what was not recorded is not counted."""
    times = Counter(sorts)
    return {sort: times[sort] for sort in KINDS if times[sort] and sort != _UNRECORDED}


def coordinates(cell: Cell, kind: str) -> dict[str, str]:
    """What a cell is on each axis, as it is told."""
    told = {
        "Tetragon": cell.tetragon,
        "Kubernetes": cell.kubernetes or "none",
        "kernel": cell.kernel,
        "configuration": cell.label,
        "target": kind,
    }
    return {axis: shorten(value, _AXIS_VALUE) for axis, value in told.items()}


def axes_of(cells: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    """Every axis with its values, as cells are on it."""
    axes: dict[str, dict[str, None]] = {}
    for cell in cells:
        for axis, value in cell.items():
            axes.setdefault(axis, {})[value] = None
    return {axis: sorted(values, key=_by_number) for axis, values in axes.items()}


def _by_number(text: str) -> list[tuple[int, str]]:
    """6.1 comes before 6.12, and 1.9 before 1.10."""
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d{1,18})", text)]


def _is_on(policy: PolicyResult, node: str) -> bool:
    return policy.name.endswith(f"@{node}")


def _field(policy: PolicyResult, href: str, standing: Standing) -> Field:
    return Field(
        policy, href, label.reason(policy), label.kind(policy), label.passes(policy), tuple(standing.get(href, ()))
    )
