"""What is known of a run before its target is opened: which tests the suites make, and whether any is selected.

A live target costs minutes, and a suite that cannot be collected, or a name that selects nothing, is told before. The
suites are collected by a pytest of its own, as `pytest --collect-only` does it: so nothing of it is left in the run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from tetraproof.errors import UsageError
from tetraproof.plugin.opening import recording_of
from tetraproof.policies.crd import DEFAULT
from tetraproof.policies.directory import Folder, load_folder
from tetraproof.policies.policy import Policy
from tetraproof.settings.options import Options
from tetraproof.targets.replay import Replay

#: What a run that selects nothing is told.
SEE_THE_NAMES = "see the names with pytest suites --collect-only -q"


@dataclass(frozen=True)
class Foreseen:
    """The scenarios that a live target will make, as far as they are known: one for each of `nodes`, if several are."""

    nodes: Sequence[str] = ()

    def scenarios(self, name: str, policy: Policy | None, settings: Mapping[str, str]) -> Sequence[str]:
        """The one that is called `name`, and those of the nodes."""
        del policy, settings
        return [name, *(f"{name}@{node}" for node in self.nodes)] if len(self.nodes) > 1 else [name]


@dataclass(frozen=True)
class Prospect:
    """What suites are collected by where nothing is run."""

    target: Foreseen | Replay
    policies: Folder

    def policy(self, name: str) -> Policy:
        """The policy of this name in the policies' folder. Raises `TetraproofError`."""
        return self.policies.named(name)


PROSPECT = pytest.StashKey[Prospect]()


def foresee(config: pytest.Config, options: Options) -> None:
    """Have the suites collected as they would be in a run. Raises `TetraproofError`."""
    policies = load_folder(options.policies, crd=options.crd or DEFAULT)
    # what `auto` would take is asked of no engine for a list
    replayed = options.target == "replay" or bool(options.recording)
    nodes = [name for name in options.nodes.split(",") if name]
    config.stash[PROSPECT] = Prospect(Replay(recording_of(options)) if replayed else Foreseen(nodes), policies)


def see_that_tests_are_selected(
    config: pytest.Config, options: Options, ask_for_nodes: Callable[[], Sequence[str]]
) -> int | None:
    """Collect the suites for a live target; returns the exit code where that ends the run, which pytest has explained.

    Names of nodes may select tests as well: they are asked for where nothing is selected without. Raises
    `TetraproofError`.
    """
    if not all(isinstance(one, str) for one in config.invocation_params.plugins or ()):
        return None  # whoever embeds pytest has plugins that another one would lack
    told = _collected(config, options)
    if told.returncode in _NONE and not options.nodes and (nodes := ask_for_nodes()):
        told = _collected(config, options, f"--tetraproof-nodes={','.join(nodes)}")
    if told.returncode == 0 or (told.returncode == pytest.ExitCode.TESTS_FAILED and _goes_on(config)):
        return None
    sys.stdout.write(told.stdout)
    sys.stdout.flush()
    if told.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        what = config.option.keyword or config.option.markexpr or " ".join(config.args)
        raise UsageError(f"{what!r} selects nothing.", remedy=SEE_THE_NAMES)
    sys.stderr.write(told.stderr)
    return told.returncode


#: How pytest ends where no test is selected, by a name in brackets or by a word.
_NONE = (pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.USAGE_ERROR)


def _goes_on(config: pytest.Config) -> bool:
    """Whether files that cannot be collected are left out, as the user wishes."""
    return bool(config.option.continue_on_collection_errors)


def _collected(config: pytest.Config, options: Options, *words: str) -> subprocess.CompletedProcess[str]:
    given = config.invocation_params
    coloured = ["--color=yes"] if config.option.color == "auto" and sys.stdout.isatty() else []
    return subprocess.run(  # noqa: S603 - no shell
        [
            *(sys.executable, "-m", "pytest", *given.args, *words, f"--tetraproof-target={options.target}"),
            *("--collect-only", "-q", *coloured),
        ],
        cwd=given.dir,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        check=False,
        # the terminal's interrupt is ours to heed, and ends it
        start_new_session=True,
    )
