"""The matrix: several results side by side, one row for each policy and one column for each cell."""

from __future__ import annotations

import io
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from msgspec.structs import replace
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tetraproof.report import label
from tetraproof.report.result import PolicyResult, Result
from tetraproof.report.template import render
from tetraproof.text import head, safe, shorten
from tetraproof.verdict import Verdict

#: What stands where a cell lacks the policy.
LACKS = "—"
_NARROWEST = 24
_WIDEST_NAME = 30
_LONGEST = 150
_STYLES = {
    "conforms": "green",
    "violates": "bold red",
    "inconclusive": "yellow",
    "unsupported": "blue",
    "unrecorded": "dim",
}


@dataclass(frozen=True)
class Field:
    """One policy in one cell."""

    policy: PolicyResult
    href: str
    reason: str
    kind: str
    passes: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """One cell, with the address of its run's page, and what tells it from another of the same title."""

    result: Result
    href: str
    apart: str = ""


@dataclass(frozen=True)
class Row:
    """One policy in every cell; nothing where a cell lacks it."""

    name: str
    fields: tuple[Field | None, ...]

    @property
    def recorded(self) -> bool:
        """Whether any cell has a record of the policy."""
        return any(field and field.policy.verdict != str(Verdict.UNRECORDED) for field in self.fields)

    @property
    def unlike(self) -> bool:
        """Whether the cells that could judge the policy differ in its verdict."""
        verdicts = {field.policy.verdict for field in self.fields if field}
        return len(verdicts - {str(Verdict.UNRECORDED)}) > 1


def matrix(results: Sequence[tuple[str, Result]]) -> str:
    """The matrix as HTML. With each result comes the path to its page, relative to the matrix."""
    cells = _cells(results)
    columns = [Column(result, quote(path), apart) for (path, result), apart in zip(cells, _apart(cells), strict=True)]
    return render("matrix.html.j2", columns=columns, rows=_rows(cells), lacks=LACKS)


def matrix_text(results: Sequence[tuple[str, Result]], width: int | None = None) -> str:
    """The matrix for a terminal, as wide as it is: a table, or one line for each field where that is too narrow.

    Plain text where the output is no terminal.
    """
    results = _cells(results)
    wide = width or shutil.get_terminal_size((120, 24)).columns
    rows = _rows(results)
    names = max((len(row.name) for row in rows), default=0)
    fits = (wide - min(names, _WIDEST_NAME)) / max(1, len(results)) - 3 >= _NARROWEST
    table = _table(results, rows) if fits else _listing(results, rows)
    output = io.StringIO()
    console = Console(file=output, width=wide, force_terminal=sys.stdout.isatty(), highlight=False, emoji=False)
    console.print(table)
    if not fits:
        for number, (_, result) in enumerate(results, 1):
            console.print(Text(f"{number}  {safe(result.target.cell.title)}, {_when(result)}"))
    return "".join(f"{line.rstrip()}\n" for line in output.getvalue().splitlines())


def _cells(results: Sequence[tuple[str, Result]]) -> list[tuple[str, Result]]:
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


def _is_on(policy: PolicyResult, node: str) -> bool:
    return policy.name.endswith(f"@{node}")


def _apart(results: Sequence[tuple[str, Result]]) -> list[str]:
    """For each cell whose title another one has too, the recording that it is."""
    titles = Counter(result.target.cell.title for _, result in results)
    return [result.target.recording if titles[result.target.cell.title] > 1 else "" for _, result in results]


def _rows(results: Sequence[tuple[str, Result]]) -> list[Row]:
    twice = label.several(result for _, result in results)
    columns: list[dict[str, Field]] = []
    order: dict[str, None] = {}
    for path, result in results:
        own = "".join(f"@{node}" for node in result.target.nodes)
        names = [name.removesuffix(own) for name in label.names(result, twice)]
        fields = [
            _field(policy, f"{quote(path)}#{anchor}")
            for policy, anchor in zip(result.policies, label.anchors(result), strict=True)
        ]
        columns.append(dict(zip(names, fields, strict=True)))
        order |= dict.fromkeys(names)
    rows = [Row(name, tuple(column.get(name) for column in columns)) for name in order]
    # what no cell has a record of says nothing of any; where that is all there is, it is told
    return [row for row in rows if row.recorded] or rows


def _field(policy: PolicyResult, href: str) -> Field:
    return Field(policy, href, label.reason(policy), label.kind(policy), label.passes(policy))


def _table(results: Sequence[tuple[str, Result]], rows: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_lines=False, padding=(0, 1), pad_edge=False)
    table.add_column("policy", max_width=_WIDEST_NAME, overflow="fold")
    for (_, result), apart in zip(results, _apart(results), strict=True):
        table.add_column(_heading(result, apart), ratio=1, min_width=_NARROWEST, overflow="fold")
    table.expand = True
    for row in rows:
        name = Text(safe(row.name))
        if row.unlike:
            name.append("\n≠ the cells differ", "yellow")
        table.add_row(name, *(_told(field, "\n") for field in row.fields), end_section=True)
    return table


def _listing(results: Sequence[tuple[str, Result]], rows: Sequence[Row]) -> Table:
    """One line of the table for each field, by the number of its cell."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column("policy", max_width=_WIDEST_NAME, overflow="fold")
    table.add_column("cell", justify="right")
    table.add_column("verdict", ratio=1, overflow="fold")
    for row in rows:
        for number, field in enumerate(row.fields, 1):
            name = Text(safe(row.name)) if number == 1 else Text()
            table.add_row(name, str(number), _told(field, " · "), end_section=number == len(results))
    return table


def _heading(result: Result, apart: str) -> Text:
    cell = result.target.cell
    place = f"Kubernetes {cell.kubernetes}" if cell.kubernetes else "no Kubernetes"
    lines = (f"Tetragon {cell.tetragon}", cell.label, f"kernel {cell.kernel}", place, _when(result), apart)
    return Text("\n".join(shorten(line, 120) for line in lines if line))


def _when(result: Result) -> str:
    return f"{safe(result.target.kind)} {safe(result.run.started[:10])}".rstrip()


def _told(field: Field | None, glue: str) -> Text:
    if field is None:
        return Text(LACKS, "dim")
    verdict = field.policy.verdict
    text = Text(safe(verdict), _STYLES.get(verdict, ""))
    sort = {"not in force": "not in force", "new": "not known before"}.get(field.kind)
    if sort:
        text.append(f" ({sort})", "bold red")
    if field.reason:
        text.append(f"{glue}{head(field.reason, _LONGEST)}", "default")
    if field.passes:
        text.append(f"{glue}passes: {head(', '.join(field.passes), _LONGEST)}", "yellow")
    return text
