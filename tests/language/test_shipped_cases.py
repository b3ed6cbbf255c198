"""The cases that are shipped: each is of a feature, and what the CRD has is covered or left out for a reason."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.builders import MANIFESTS, ROOT
from tetraproof.language.case import Case
from tetraproof.language.feature import features, known, used, within
from tetraproof.policies.crd import DEFAULT, VERSIONS, schema
from tetraproof.policies.directory import load_folder

SUITES = sorted((ROOT / "suites/language").glob("test_*.py"))
POLICIES = {name: policy for name, policy in load_folder(MANIFESTS).policies.items() if name.startswith("language/")}
LEFT_OUT: dict[str, str] = yaml.safe_load((ROOT / "suites/language/left_out.yaml").read_text(encoding="utf-8"))


def judged(path: Path) -> Iterator[Case | str]:
    """What a suite is about: rows of a table, or policies by their names."""
    spec = importlib.util.spec_from_file_location(f"shipped_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    marks = module.pytestmark if isinstance(module.pytestmark, list) else [module.pytestmark]
    for mark in (one.mark for one in marks):
        yield from (one for one in mark.args if isinstance(one, Case | str))


JUDGED = [one for path in SUITES for one in judged(path)]
CASES = [one for one in JUDGED if isinstance(one, Case)]
#: What has a suite of its own: how far a feature reaches, and no feature.
REACHES = [one for one in JUDGED if isinstance(one, str)]


def test_every_policy_has_its_case_and_no_case_another_s() -> None:
    """One each."""
    named = [*(case.policy for case in CASES), *REACHES]
    assert sorted(named) == sorted(set(named))
    assert set(named) == POLICIES.keys()


@pytest.mark.parametrize("name", [name for name in POLICIES if name not in REACHES])
def test_a_case_uses_the_feature_that_it_is_of(name: str) -> None:
    """And the language has it."""
    policy = POLICIES[name]
    assert policy.feature in used(policy.spec)
    assert any(within(policy.feature, one) for one in known()) or policy.feature.startswith("options/")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_neighbour_is_another_act_and_each_sentence_is_one(case: Case) -> None:
    """It differs from what matches, and nobody's sentence is another's."""
    assert (case.match.argv, case.match.stdin, case.match.pod) != (case.near.argv, case.near.stdin, case.near.pod)
    assert case.says.endswith(".")


@pytest.mark.parametrize("version", [DEFAULT, VERSIONS[-1]])
def test_what_the_crd_has_is_covered_or_left_out_for_a_reason(version: str) -> None:
    """The next release's additions show up here: give each a case, or a line in left_out.yaml."""
    covered = {one for policy in POLICIES.values() for one in used(policy.spec)}
    holes = [one for one in features(schema(version)) if one not in covered and not reason(one)]
    assert holes == []


def test_nothing_is_left_out_that_has_a_case() -> None:
    """A reason that is no more true goes."""
    covered = {one for policy in POLICIES.values() for one in used(policy.spec)}
    # a whole may be left out of which a part has a case
    holes = [one for one in known() if one not in covered]
    assert [one for one in LEFT_OUT if not any(within(hole, one) for hole in holes)] == []
    assert [one for one in LEFT_OUT if not any(within(feature, one) for feature in known())] == []


def reason(feature: str) -> str:
    return next((why for name, why in LEFT_OUT.items() if within(feature, name)), "")
