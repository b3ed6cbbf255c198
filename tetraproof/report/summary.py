"""What a run says last in the terminal: a line for each policy, findings, pins, and why it is red."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from rich.cells import cell_len, set_cell_size

from tetraproof.report import label
from tetraproof.report.result import Result
from tetraproof.text import safe, shorten

_LONGEST = 600


def summary_text(result: Result, width: int) -> list[str]:
    """The lines, without colours and none wider than `width`; each policy's begins with its verdict, padded."""
    lines = list(_policies(result, width))
    seen = [finding for finding in result.findings if finding.seen]
    unseen = [finding for finding in result.findings if not finding.seen]
    lines += _section("findings seen", [finding.title for finding in seen], width)
    lines += _section("findings not seen here", [finding.title for finding in unseen], width)
    if result.pins:
        differs = [f"{result.pins.held} entries of expected.json held, {len(result.pins.differences)} differ"]
        lines += _section("pinned", [*differs, *result.pins.differences], width)
    lines += _section("time", list(label.spent(result.run)), width)
    lines += _section("red, because", result.run.red, width)
    return lines


def _policies(result: Result, width: int) -> Iterator[str]:
    """All of a policy in one line, wrapped under its name where the terminal is narrower.

    Where nothing of a folder of suites was recorded, one line says so.
    """
    names = [safe(name) for name in label.names(result, label.several([result]))]
    first = max((len(safe(policy.verdict)) for policy in result.policies), default=0)
    folders = label.unrecorded_folders(result)
    told_of: set[str] = set()
    for policy, name in zip(result.policies, names, strict=True):
        folder = str(PurePath(policy.suite).parent)
        if folder in folders:
            if folder in told_of:
                continue
            told_of.add(folder)
            name, told = safe(f"{folder}/"), f"{folders[folder]} policies, of which the recording has none"  # noqa: PLW2901
        else:
            told = safe(policy.line.removeprefix(policy.verdict).strip(" ·"))
        line = f"{safe(policy.verdict):{first}}  {name} · {shorten(told, _LONGEST)}"
        wrapped = textwrap.wrap(
            line, max(8, width), subsequent_indent=" " * min(first + 2, width // 2), break_on_hyphens=False
        )
        yield from (_fit(part, width) for part in wrapped)


def _section(title: str, texts: Sequence[str], width: int) -> Iterator[str]:
    if not texts:
        return
    yield ""
    yield _fit(f"{title}:", width)
    for text in texts:
        wrapped = textwrap.wrap(
            shorten(text, _LONGEST),
            max(8, width),
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
        yield from (_fit(line, width) for line in wrapped)


def _fit(text: str, width: int) -> str:
    """`text` cut at its end to `width` columns."""
    return text if cell_len(text) <= width else f"{set_cell_size(text, max(0, width - 1)).rstrip()}…"
