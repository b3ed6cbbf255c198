"""The matrix for a terminal: a table where its columns fit, else by policy what cells say, those together that agree.

Cases of the policy language are hundreds: they are counted by group, and those named that nothing explains, unless
all are asked for.
"""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as Drawn
from rich.text import Text

from tetraproof.nightly.merging import Matrix, rows
from tetraproof.report.matrix import (
    KINDS,
    LACKS,
    NOTHING,
    Column,
    Field,
    Row,
    Standing,
    Table,
    by_node,
    columns_of,
    counted,
    rows_of,
    tables_of,
)
from tetraproof.report.result import Result
from tetraproof.text import head, safe, shorten
from tetraproof.verdict import Verdict

_NARROWEST = 24
_WIDEST_NAME = 30
#: As much of a reason as the page has.
_LONGEST = 400
#: So many policies are told of a matrix that has more cells than columns can be read.
_GRAVEST = 20
#: So many features are named of a group that is folded.
_FEW = 6
_NUMBERS = 9
_UNLIKE = "≠ the cells differ"
_STYLES = {
    "conforms": "green",
    "violates": "bold red",
    "inconclusive": "yellow",
    "unsupported": "blue",
    "unrecorded": "dim",
}


def listing(
    results: Sequence[tuple[str, Result]],
    width: int | None = None,
    *,
    standing: Standing = NOTHING,
    everything: bool = False,
) -> str:
    """The matrix as wide as the terminal is, plain text where the output is none. `everything` folds nothing."""
    cells = by_node(results)
    columns = columns_of(cells)
    tables = tables_of(rows_of(cells, standing), len(columns))
    wide = width or shutil.get_terminal_size((120, 24)).columns
    output = io.StringIO()
    console = Console(file=output, width=wide, force_terminal=sys.stdout.isatty(), highlight=False, emoji=False)
    numbered = False
    for table in tables:
        fits = not table.name and _fits(table, wide)
        numbered = numbered or not fits
        for part in [_side_by_side(table, columns)] if fits else _one_by_one(table, folded=not everything):
            console.print(part)
    if numbered:
        console.print(Text("\nthe cells", "bold"))
        console.print(_grid([(str(number), _legend(column)) for number, column in enumerate(columns, 1)]))
    features = sum(len(table.rows) for table in tables if table.name)
    if features and not everything:
        console.print(Text(f"\n{features} features of the policy language are counted; --all lists each", "dim"))
    return "".join(f"{line.rstrip()}\n" for line in output.getvalue().splitlines())


def tally(matrix: Matrix) -> str:
    """A matrix of very many cells: of the gravest policies how many cells say what."""
    told = {name: [one.sort for one in fields if one] for name, fields in rows(matrix).items()}
    order = list(KINDS)
    ranked = sorted(told, key=lambda name: [-told[name].count(sort) for sort in order])
    lines = [f"{len(told)} policies on {len(matrix.cells)} cells"]
    lines += [f"  {shorten(name, _WIDEST_NAME):<{_WIDEST_NAME}}  {_counts(told[name])}" for name in ranked[:_GRAVEST]]
    if len(ranked) > _GRAVEST:
        lines.append(f"  … the {_GRAVEST} gravest of {len(ranked)}")
    return "\n".join(lines)


def _fits(table: Table, wide: int) -> bool:
    names = max((len(row.name) for row in table.rows), default=0)
    return (wide - min(names, _WIDEST_NAME)) / len(table.shown) - 3 >= _NARROWEST


def _side_by_side(table: Table, columns: Sequence[Column]) -> Drawn:
    drawn = Drawn(box=box.SIMPLE_HEAD, show_lines=False, padding=(0, 1), pad_edge=False, expand=True)
    drawn.add_column("policy", max_width=_WIDEST_NAME, overflow="fold")
    for at in table.shown:
        drawn.add_column(_heading(columns[at]), ratio=1, min_width=_NARROWEST, overflow="fold")
    for row in table.rows:
        name = Text(safe(row.name))
        if row.unlike:
            name.append(f"\n{_UNLIKE}", "yellow")
        drawn.add_row(name, *(_told(row.fields[at], "\n") for at in table.shown), end_section=True)
    return drawn


def _one_by_one(table: Table, *, folded: bool) -> Iterator[RenderableType]:
    """What cells say of each row, by their numbers; of a group that is folded, of all rows together."""
    named = table.rows
    if table.name:
        unlike = sum(row.unlike for row in table.rows)
        differ = f", of which {unlike} differ between cells" if unlike else ""
        yield Text(f"\n{table.name}: {len(table.rows)} features of the policy language{differ}", "bold")
        if folded:
            yield _lines((at, Text(_named(table.rows, at))) for at in table.shown)
            named = tuple(row for row in table.rows if row.gravity <= list(KINDS).index("inconclusive"))
    for row in named:
        name = Text(safe(f"{row.feature}  {row.name}" if row.feature else row.name), "bold" if not table.name else "")
        if row.unlike:
            name.append(f"  {_UNLIKE}", "yellow")
        yield Text("\n") + name if not table.name else Text("\n  ") + name
        yield _lines((at, _told(row.fields[at], " · ")) for at in table.shown)


def _lines(said: Iterable[tuple[int, Text]]) -> Padding:
    """A line for all cells that say the same, in the order in which it is first said."""
    by_text: dict[str, tuple[Text, list[int]]] = {}
    for at, text in said:
        by_text.setdefault(text.markup, (text, []))[1].append(at + 1)
    return _grid([(" ".join(map(str, numbers)), text) for text, numbers in by_text.values()])


def _grid(lines: Iterable[tuple[str, Text]]) -> Padding:
    grid = Drawn.grid(padding=(0, 2), expand=True)
    grid.add_column(width=_NUMBERS, overflow="fold")
    grid.add_column(ratio=1, overflow="fold")
    for line in lines:
        grid.add_row(*line)
    return Padding(grid, (0, 0, 0, 4))


def _legend(column: Column) -> Text:
    cell = column.result.target.cell
    apart = f", {column.apart}" if column.apart else ""
    return Text(shorten(f"{cell.title}, {_when(column.result)}{apart}", _LONGEST))


def _heading(column: Column) -> Text:
    cell = column.result.target.cell
    place = f"Kubernetes {cell.kubernetes}" if cell.kubernetes else "no Kubernetes"
    lines = (f"Tetragon {cell.tetragon}", cell.label, f"kernel {cell.kernel}", place, _when(column.result))
    return Text("\n".join(shorten(line, 120) for line in (*lines, column.apart) if line))


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
    # that a recording has nothing of a policy needs no reason
    if field.reason and not verdict == field.policy.loading == str(Verdict.UNRECORDED):
        text.append(f"{glue}{head(field.reason, _LONGEST)}", "default")
    if field.passes:
        text.append(f"{glue}passes: {head(', '.join(field.passes), _LONGEST)}", "yellow")
    if field.standing:
        text.append(f"{glue}{head(', '.join(field.standing), _LONGEST)}", "default")
    return text


def _named(rows_: Sequence[Row], at: int) -> str:
    """What a cell says of all rows of a group: how many are what, and which do not conform."""
    by_sort: dict[str, list[str]] = {}
    for row in rows_:
        field = row.fields[at]
        if field:
            by_sort.setdefault(field.sort, []).append(row.feature)
    counts = counted(sort for sort, features in by_sort.items() for _ in features)
    told = {sort: "" if sort == str(Verdict.CONFORMS) else f": {_few(by_sort[sort])}" for sort in counts}
    return "\n".join(f"{KINDS[sort]} {count}{told[sort]}" for sort, count in counts.items()) or LACKS


def _few(features: Sequence[str]) -> str:
    more = f", {len(features) - _FEW} more" if len(features) > _FEW else ""
    return safe(", ".join(features[:_FEW]) + more)


def _counts(sorts: Iterable[str]) -> str:
    counts = counted(sorts)
    return " · ".join(f"{KINDS[sort]} {count}" for sort, count in counts.items()) or LACKS
