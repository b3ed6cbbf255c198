"""Results: verdicts.json is the one model, and says the same again when it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.builders import ROOT
from tetraproof.errors import RecordingError
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.recordings.recording import Cell, Provenance
from tetraproof.report.result import (
    FILE,
    FORMAT,
    ActResult,
    ClaimResult,
    EventResult,
    FindingResult,
    LimitResult,
    NeedResult,
    PinResult,
    PolicyResult,
    Result,
    RunResult,
    StateResult,
    TargetResult,
    TimelineResult,
    encode,
    one_line,
    read,
    schema,
    verdict_of,
)
from tetraproof.verdict import Verdict, worst

EVENT = EventResult(0.1, "exec", True, "bash", "🚀 process", "other/probe", {"process_exec": {"process": {"pid": 1}}})
ACT = ActResult(
    "it", ("bash", "-c", "x"), "other/probe", "act", exit_code=137, timeline=TimelineResult("n", 1.5, "", (EVENT,))
)
CLAIM = ClaimResult(
    "test_a", "It is killed.", "violates", "it was not", "whole\nmessage", "workers", True, ("it",), "f:1", "id"
)
POLICY = PolicyResult(
    "guard",
    "guard",
    "title",
    "suites/x.py",
    "violates",
    "violates · why",
    "conforms",
    "",
    states=(StateResult("n", "enabled", counters={"post": 1}),),
    needs=(NeedResult("why", None, "nobody probed"),),
    counts={"violates": 1},
    claims=(CLAIM, ClaimResult("test_b", "t", None)),
    limits=(LimitResult("test_l", "rename", "t", "passes"),),
    acts=(ACT, ActResult("gone", ("x",), "p", "act", missing="not recorded")),
)
WHOLE = Result(
    FORMAT,
    "0.1.0",
    RunResult("id", "2026-11-23T07:00:00+00:00", 1.5, "make test", True, ("1 promises are violated",)),
    TargetResult(
        "replay",
        Cell("1.7.0", "1.36.2", "6.12", "kubernetes"),
        ("judging",),
        Bindings({"probe": (PodBinding("other", "probe"),)}),
        "recording",
        Provenance("2026", "1 node", "raw records"),
    ),
    (POLICY,),
    (FindingResult("workers", "title", True, ("guard",)),),
    PinResult(1, ("a difference",)),
)
LEAST = Result(FORMAT, "0.1.0", WHOLE.run, TargetResult("kind", WHOLE.target.cell, (), Bindings()), ())


@pytest.mark.parametrize("result", [WHOLE, LEAST], ids=["whole", "least"])
def test_a_result_is_read_as_it_was_written(result: Result, tmp_path: Path) -> None:
    """By the file or by the run's directory, and it fits its own schema."""
    (tmp_path / FILE).write_bytes(encode(result))
    assert read(tmp_path) == read(tmp_path / FILE) == result
    jsonschema.Draft202012Validator(schema()).validate(json.loads(encode(result)))


def test_the_shipped_schema_is_that_of_the_types() -> None:
    """Whoever reads verdicts.json is told of every change."""
    shipped = ROOT / "tetraproof/schemas/verdicts.schema.json"
    assert json.loads(shipped.read_bytes()) == json.loads(json.dumps(schema()))
    jsonschema.Draft202012Validator.check_schema(schema())


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(encode(LEAST)), **fields}).encode()


@pytest.mark.parametrize("content", [changed(policies=[{"name": 1}]), changed(format="1"), changed(run=None)])
def test_the_schema_refuses_what_is_no_result(content: bytes) -> None:
    """It is no formality."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate(json.loads(content))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "There is no result"),
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b"{}", "format is None"),
        (changed(format=FORMAT + 1), f"format is {FORMAT + 1}, and this tetraproof reads {FORMAT}"),
        (changed(run=None), "$.run"),
        (changed(policies=[{"name": 1}]), "$.policies[0].name"),
        (encode(WHOLE)[:-40], "truncated"),
        (b"\xff\xfe", "is no JSON"),
    ],
)
def test_what_is_no_result_is_told_by_file_and_field(content: bytes | None, word: str, tmp_path: Path) -> None:
    """One sentence."""
    path = tmp_path / FILE
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordingError) as refused:
        read(path)
    assert FILE in refused.value.sentence
    assert word in refused.value.sentence


ORDER = ["violates", "inconclusive", "unsupported", "unrecorded", "conforms"]


@pytest.mark.parametrize("at", range(len(ORDER)))
def test_a_policys_verdict_is_the_first_that_any_promise_has(at: int) -> None:
    """Violates before inconclusive before unsupported before unrecorded before conforms; what was not judged aside."""
    claims = [ClaimResult("t", "t", word) for word in reversed(ORDER[at:])]
    assert str(verdict_of([ClaimResult("t", "t", None), *claims])) == ORDER[at]


def test_without_a_promise_nothing_conforms() -> None:
    """An empty success is none."""
    assert verdict_of([]) is verdict_of([ClaimResult("t", "t", None)]) is Verdict.UNRECORDED
    assert worst([]) is None


def claims(*verdicts: str) -> list[ClaimResult]:
    return [ClaimResult(f"test_{n}", "t", word, f"{word} because") for n, word in enumerate(verdicts)]


KNOWN = ClaimResult("t", "t", "violates", "killed", finding="workers", finding_seen=True)
UNSEEN = ClaimResult("t", "t", "conforms", "", finding="workers", finding_seen=False)
PASSES, STOPS = (LimitResult("l", word, "t", word) for word in ("passes", "stops"))


@pytest.mark.parametrize(
    ("verdict", "loading", "told", "limits", "line"),
    [
        ("conforms", "", claims("conforms", "conforms"), [], "conforms · 2 of 2 promises conform"),
        ("conforms", "", claims("conforms"), [PASSES, STOPS], "conforms · 1 of 1 promises conform · passes: passes"),
        ("violates", "", claims("conforms", "violates"), [], "violates · 1 of 2 promises conform · violates because"),
        ("violates", "", [KNOWN, *claims("conforms")], [], "violates · known: it goes down · 1 of 2 promises conform"),
        ("conforms", "", [UNSEEN], [], "conforms · 1 of 1 promises conform"),
        ("violates", "not in force: EINVAL", claims("violates"), [], "violates · not in force: EINVAL"),
        ("unsupported", "no helper", claims("unsupported"), [], "unsupported · no helper"),
    ],
)
def test_a_policy_in_one_line(
    verdict: str, loading: str, told: list[ClaimResult], limits: list[LimitResult], line: str
) -> None:
    """Its verdict, what is known of it, how many promises conform, why, and what passes."""
    assert one_line(Verdict[verdict.upper()], loading, told, limits, {"workers": "it goes down"}) == line


def test_a_new_violation_is_told_beside_a_known_one() -> None:
    """A finding that shows must not hide another refutation of the same policy."""
    told = [KNOWN, *claims("violates")]
    assert "violates because" in one_line(Verdict.VIOLATES, "", told, [], {"workers": "it goes down"})
