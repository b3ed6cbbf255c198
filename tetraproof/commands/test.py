"""`tetraproof test`: the suites on a target, by pytest."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tetraproof import filing
from tetraproof.commands import redraw
from tetraproof.errors import UsageError
from tetraproof.pacing import interrupting
from tetraproof.settings import shipped
from tetraproof.settings.configuration import find
from tetraproof.settings.options import GROUPS, OTHERS, Options, described

ABOUT = "run suites on a target, and judge them"
#: What the parser does not know is pytest's own: files, -k, -x.
PASSES_ON = True
#: An interrupt is pytest's to heed, as soon as it has started.
HOLDS = True
#: Options of pytest, and of what is often there beside it, whose value is a word of its own: it may be a file's name.
_VALUED = """
-W -c -k -m -n -o -p -r --alluredir --assert --basetemp --capture --code-highlight --color --config-file --confcutdir
--deselect --dist --doctest-glob --doctest-report --durations --durations-min --ignore --ignore-glob --import-mode
--junit-prefix --junit-xml --junitprefix --junitxml --last-failed-no-failures --lfnf --log-auto-indent
--log-cli-date-format --log-cli-format --log-cli-level --log-date-format --log-disable --log-file --log-file-date-format
--log-file-format --log-file-level --log-file-mode --log-format --log-level --max-warnings --maxfail --override-ini
--pastebin --pdbcls --pythonwarnings --report-chars --rootdir --show-capture --tb --tx --verbosity
"""
TAKES_A_VALUE = frozenset([*_VALUED.split(), *(f"--{name}" for name in OTHERS.values() if name != "keep-cluster")])
#: What differs from kernel to kernel where there are several.
_BY_KERNEL = ("kernel", "reports", "run_id", "record")
_ONLY_OURS = {"typed": argparse.SUPPRESS, "prove": argparse.SUPPRESS}


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told: the options of a run; everything else is pytest's."""
    parser.usage = "tetraproof test [options] [options and files as pytest has them, -k EXPRESSION]"
    parser.add_argument("--shipped", action="store_true", help="the suites that come with tetraproof")
    for key, about in GROUPS.items():
        group = parser.add_argument_group(about)
        for option in described():
            if option.group == key:
                told = option.argument
                told["help"] = _ONLY_OURS.get(option.attribute, told["help"])
                group.add_argument(f"--{option.name}", **told)


def run(given: argparse.Namespace) -> int:
    """Have pytest run them; on several kernels one after the other, merged into one table."""
    words = _words(given)
    kernels = _kernels(given)
    if len(kernels) > 1:
        return _on_each(kernels, given, words)
    words += [word for attribute in _BY_KERNEL for word in _option(given, attribute)]
    sys.stdout.flush()
    # pytest takes our place, so an interrupt of the terminal's reaches it alone, and once it has started
    interrupting.hold()
    return os.execv(sys.executable, [sys.executable, "-m", "pytest", *words])  # noqa: S606


def _kernels(given: argparse.Namespace) -> list[str]:
    """The kernels that are asked for, here or by the project where it runs on some."""
    options = find(Path.cwd()).options({"kernel": given.kernel, "target": given.target})
    return options.kernel.split(",") if given.kernel or options.target == "standalone" else [""]


def _words(given: argparse.Namespace) -> list[str]:
    """The words for pytest, but for those that differ by kernel."""
    configuration = find(Path.cwd())
    # whoever types this means us, also where no configuration says so
    given.typed = given.typed or Options.typed
    named = [
        word
        for before, word in zip(["", *given.rest], given.rest, strict=False)
        if not word.startswith("-") and before not in TAKES_A_VALUE and os.path.lexists(word.partition("::")[0])
    ]
    words = list(given.rest)
    if given.shipped:
        options = configuration.options(vars(given))
        # they are written and read where the user is, not where we are installed
        given.reports, given.recordings = options.reports, options.recordings
        words = [*_shipped(), *words]
    elif not named:
        suites = configuration.options({"suites": given.suites}).suites
        for folder in suites:
            if not folder.exists():
                raise UsageError(
                    f"There are no suites in {folder}.",
                    remedy="tetraproof draft policies/mine.yaml writes one; SUITES= names another folder; "
                    "tetraproof test --shipped runs those that come with tetraproof",
                )
        words = [*(os.path.relpath(folder) for folder in suites), *words]
    elif not given.suites:
        own = [folder.resolve() for folder in configuration.options({}).suites]
        outside = [
            path
            for path in (Path(word.partition("::")[0]).resolve() for word in named)
            if not any(path.is_relative_to(folder) or folder.is_relative_to(path) for folder in own)
        ]
        given.suites = [*own, *outside] if outside else None
    for option in described():
        if option.attribute not in _BY_KERNEL:
            words += _option(given, option.attribute)
    return words


def _option(given: argparse.Namespace, attribute: str) -> list[str]:
    """One option as the plugin is told it."""
    value = getattr(given, attribute)
    name = f"--tetraproof-{attribute.replace('_', '-')}"
    if value is True:
        return [name]
    return [f"{name}={part}" for part in (value if isinstance(value, list) else [value]) if part not in {None, False}]


def _shipped() -> list[str]:
    """The words that select what is shipped, and keep the settings of a project around it out of it."""
    root = shipped.root()
    ours = {"suites": "suites", "policies": "manifests/policies", "workloads": "manifests/workloads"}
    paths = [f"--tetraproof-{name}={root / path}" for name, path in ours.items()]
    settings = [f"--rootdir={root}", "-c", os.devnull, "-o", f"pythonpath={root}", "--import-mode=importlib"]
    return [str(root / "suites"), *settings, "-p", "no:cacheprovider", *paths]


def _on_each(kernels: list[str], given: argparse.Namespace, words: list[str]) -> int:
    interrupting.let_go()
    options = find(Path.cwd()).options({"reports": given.reports})
    reports = filing.new_folder(options.reports / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-kernels")
    worst = 0
    for kernel in kernels:
        name = re.sub(r"[:/]", "-", kernel)
        own = [f"--tetraproof-kernel={kernel}", f"--tetraproof-reports={reports}", f"--tetraproof-run-id={name}"]
        own += [f"--tetraproof-record={Path(given.record) / name}"] if given.record else []
        code = subprocess.run([sys.executable, "-m", "pytest", *words, *own], check=False).returncode  # noqa: S603 - no shell
        if code > 1:
            return code
        worst = max(worst, code)
    redraw.run(argparse.Namespace(runs=[reports], matrix=reports / "index.html", json=False))
    return worst
