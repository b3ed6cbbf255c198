"""Whatever policy loads: its draft is a suite that is formatted, is collected, and asserts something in each test."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from hypothesis import HealthCheck, given, settings

from tests.builders import ROOT
from tests.drafting.policies import policies
from tetraproof.drafting.derivation import MOST_LINES, draft
from tetraproof.drafting.outline import Suite
from tetraproof.drafting.place import load_places
from tetraproof.drafting.rendering import written
from tetraproof.judging import hooked
from tetraproof.judging.expectation import Expectation
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Acts
from tetraproof.policies.policy import Policy

PLACES = load_places(ROOT / "manifests/workloads")
EXAMPLES = 100


def collected(text: str) -> ModuleType:
    """The suite, imported: whatever no event can say, and no act can be called, is refused here."""
    module = ModuleType("drafted")
    exec(compile(text, "test_drafted.py", "exec"), vars(module))
    return module


def expectations(text: str, module: ModuleType) -> Iterator[Expectation]:
    """Everything that is looked for in a timeline, made as the suite makes it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id[:1].isupper():
            if node.func.id == "Acts" or "run." in ast.unparse(node):
                continue
            made = eval(ast.unparse(node), vars(module))
            yield made


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies())
def test_it_is_collected(policy: Policy) -> None:
    """It is Python, its words take what it says, and none of its events is one that the policy cannot make."""
    suite: Suite = draft(policy, "drawn", PLACES)
    text = written(suite)
    module = collected(text)
    acts = vars(module).get("acts", Acts())
    assert not [act.name for act in acts if hasattr(Run, act.name)]
    for expectation in expectations(text, module):
        hooked.check(policy, expectation)
    tests = text.split("\ndef test_")[1:]
    assert all("    assert " in test for test in tests)
    assert tests or suite.todos
    asked = {name for test in suite.tests for name in test.acts}
    assert asked <= {act.name for act in acts}
    assert len(text.splitlines()) <= MOST_LINES


def test_it_is_formatted(tmp_path: Path) -> None:
    """As ruff does it, at 120 characters."""
    made: list[str] = []

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(policies())
    def keep(policy: Policy) -> None:
        made.append(written(draft(policy, "drawn", PLACES)))

    keep()
    for number, text in enumerate(dict.fromkeys(made)):
        (tmp_path / f"test_{number}.py").write_text(text, encoding="utf-8", errors="surrogatepass")
    ruff = Path(sys.executable).with_name("ruff")
    found = subprocess.run(
        [ruff, "format", "--diff", "--config", ROOT / "pyproject.toml", "--no-cache", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-1000:]
