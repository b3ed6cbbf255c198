"""The page and the summary: all of a result is told, and nothing of a stranger's text can act."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shlex
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from tetraproof.observing.enforcement import ENFORCING
from tetraproof.policies.binding import Bindings, PodBinding
from tetraproof.recordings.recording import Cell, Provenance
from tetraproof.report import label
from tetraproof.report.drawing import MOST_EVENTS, picture, shape
from tetraproof.report.page import page
from tetraproof.report.result import (
    ActResult,
    ClaimResult,
    ContinuityResult,
    EventResult,
    FindingResult,
    GapResult,
    HappeningResult,
    LimitResult,
    NeedResult,
    PinResult,
    PolicyResult,
    PulseResult,
    Result,
    RunResult,
    StateResult,
    TargetResult,
    TimelineResult,
)
from tetraproof.report.summary import summary_text
from tetraproof.report.template import pretty
from tetraproof.text import command_line, safe

VERDICTS = ("conforms", "violates", "inconclusive", "unsupported", "unrecorded")
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202egnp.exe\"'><img src=https://evil.example/x onerror=alert(1)>&lt;\x00"
HUGE = "x<y&z" * 20_000
OPEN = "no sentinel was heard on node n1 after the acts"
VOID = {"meta", "link", "br", "input"}
BLOCKS = {"p", "div", "ul", "ol", "dl", "pre", "table", "details", "section", "h1", "h2", "h3", "h4"}
FORBIDDEN = {"img", "iframe", "object", "embed", "base", "audio", "video"}
SHAPES = [
    ("exec", {}, "exec"),
    ("kprobe", {"action": "KPROBE_ACTION_POST"}, "hook"),
    *(("kprobe", {"action": f"KPROBE_ACTION_{name}"}, "enforced") for name in sorted(ENFORCING)),
    ("kprobe", {"return_action": "KPROBE_ACTION_SET"}, "enforced"),
    ("kprobe", {"action": ["KPROBE_ACTION_SIGKILL"]}, "hook"),
    ("lsm", {"action": "KPROBE_ACTION_POST"}, "hook"),
    ("exit", {"signal": "SIGKILL"}, "exit-signal"),
    ("exit", {"status": 7}, "exit-n"),
    ("exit", {}, "exit-0"),
]


def unfolded(html: str) -> str:
    """A page as it is once its script has unfolded everything."""

    def unfold(found: re.Match[str]) -> str:
        return f">{gzip.decompress(base64.b64decode(found[1])).decode()}<"

    return re.sub(r' data-packed="([^"]*)"><', unfold, html)


class Page(HTMLParser):
    """A page as a strict reader sees it, all unfolded: every element closed in its turn, text, ids, links, scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.policy = ""
        self.details: dict[str, bool] = {}
        self.texts: list[str] = []
        self.titles: list[str] = []
        self.code: dict[str, str] = {"style": "", "script": ""}
        self.feed(unfolded(html))
        self.close()
        assert not self.open, f"never closed: {self.open}"

    @property
    def text(self) -> str:
        """All that is shown, white space folded."""
        return " ".join("".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not (tag in BLOCKS and "p" in self.open), f"<{tag}> would end the paragraph that it is in"
        self.tags[tag] += 1
        values = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in values.items()]
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[name] for name in ("href", "src") if name in values]
        if tag == "section":
            self.policy = values["id"] if values.get("class") == "policy" else ""
        if tag == "details" and self.open[-1] == "section" and self.policy not in {"", *self.details}:
            self.details[self.policy] = "open" in values

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.code:
            self.code[self.open[-1]] += data
        elif self.open and self.open[-1] == "title":
            self.titles.append(data)
        else:
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def an_event(
    offset: float = 0.0, kind: str = "exec", *, own: bool = True, text: str = "", **fields: Any
) -> EventResult:
    """An event whose JSON holds `fields`."""
    event = {f"process_{kind}": {"process": {"binary": "/usr/bin/bash"}, **fields}, "node_name": "n1"}
    return EventResult(
        offset, kind, own, text or f"told {kind} {offset}", f"compact {kind} {offset}", "other/probe", event
    )


def a_timeline(*events: EventResult, why_open: str = "") -> TimelineResult:
    """A timeline that holds `events`."""
    return TimelineResult("n1", 1.5, why_open, events)


def an_act(name: str = "guarded", timeline: TimelineResult | None = None, **fields: Any) -> ActResult:
    """An act that was killed."""
    events = (
        an_event(),
        an_event(0.1, "kprobe", action="KPROBE_ACTION_SIGKILL"),
        an_event(0.2, "exit", signal="SIGKILL"),
    )
    given = {"argv": ("bash", "-c", f"echo {name}"), "pod": "other/probe", "role": "act", "exit_code": 137, **fields}
    return ActResult(name=name, timeline=timeline or a_timeline(*events), **given)


def a_claim(verdict: str | None = "conforms", **fields: Any) -> ClaimResult:
    """A promise with a verdict."""
    given = {"name": f"test_{verdict}", "title": f"What {verdict} means is promised.", "reason": "", **fields}
    return ClaimResult(verdict=verdict, **given)


def a_policy(name: str = "block-fd-install", verdict: str = "conforms", **fields: Any) -> PolicyResult:
    """A policy with one promise of that verdict."""
    given = {
        "scenario": name,
        "title": f"{name} guards a file.",
        "suite": "suites/files/test_x.py",
        "line": f"{verdict} · the reason of {name}",
        "loading": "conforms",
        "loading_reason": "",
        "claims": (a_claim(verdict),),
        "counts": {verdict: 1},
        "acts": (an_act(),),
        **fields,
    }
    return PolicyResult(name=name, verdict=verdict, **given)


def a_result(*policies: PolicyResult, tetragon: str = "1.7.0", **fields: Any) -> Result:
    """A replayed run that judged `policies`."""
    target = TargetResult(
        "replay",
        Cell(tetragon, "1.36.2", "6.12.117", "replay", "multi-off", "abc", {"disable-kprobe-multi": "true"}),
        (f"judging Tetragon {tetragon}, on replay", "nothing is enforced on this machine"),
        Bindings(
            {"nginx": (PodBinding("default", "nginx-1", "10.0.0.2", "n1"),)},
            {"web": "10.1.0.1"},
            {"ranges.pods": "10.0.0.0/18"},
        ),
        "a-recording",
        Provenance("2026-11-23T07:00:00+00:00", "one node", "make record", ("crds.json",)),
    )
    run = RunResult("run-1", "2026-11-23T12:00:00+00:00", 7.25, "make test", whole=True)
    return Result(**{"format": 1, "tetraproof": "0.1", "run": run, "target": target, "policies": policies, **fields})


def a_full_result() -> Result:
    """Every verdict, a known and a new violation, one not in force, limits, an open timeline, acts that are missing."""
    known = a_claim(
        "violates", finding="workers", finding_seen=True, reason="the site is down", message="a\n  b", acts=("guarded",)
    )
    acts = (
        an_act(),
        an_act("torn", a_timeline(an_event(), an_event(0.3, own=False), why_open=OPEN)),
        an_act("silent", a_timeline()),
        an_act("set_scene", role="prepare", stdin="typed", stdout="said", stderr="complained", tty=True),
        an_act("stranger", role="not asked for"),
        ActResult("gone", ("true",), "probe", "act", missing="act gone was not recorded"),
    )
    policies = (
        *(
            a_policy(f"p-{verdict}", verdict, claims=(a_claim(verdict, reason=f"why {verdict}"),))
            for verdict in VERDICTS
        ),
        a_policy("harm", "violates", claims=(known, a_claim()), line="violates · known: the site is down", acts=acts),
        a_policy(
            "unloaded",
            "violates",
            loading="violates",
            line="violates · applied, but not in force · passes: UDP",
            claims=(a_claim("violates"), a_claim(None)),
            limits=(LimitResult("test_udp", "UDP", "UDP passes a TCP policy.", "passes", acts=("guarded",)),),
            states=(
                StateResult("n1", "load_error", "invalid argument", "enforce", {"post": 3}),
                StateResult("n2", "enabled"),
            ),
            needs=(
                NeedResult("signals", True, "probe says so"),
                NeedResult("fmod_ret", False, "config"),
                NeedResult("lsm", None, ""),
            ),
            notes=("recorded under settings of its own",),
            spec="kprobes:\n- call: fd_install\n",
            acts=(),
        ),
        a_policy("twice", scenario="twice"),
        a_policy("twice", scenario="unfiltered"),
    )
    findings = (
        FindingResult("workers", "nginx's workers are killed", seen=True, policies=("harm",)),
        FindingResult("elsewhere", "known on another kernel", seen=False),
    )
    red = RunResult("run-1", "2026-11-23T12:00:00+00:00", 7.25, "make test K=x", whole=False, red=("a new violation",))
    return a_result(*policies, findings=findings, run=red, pins=PinResult(7, ("p-conforms differs",)))


def a_hostile_result() -> Result:
    """Strangers' text wherever a result holds text."""
    event = replace(an_event(text=HOSTILE), compact=HOSTILE, kind=HOSTILE, event={HOSTILE: {HOSTILE: HUGE}})
    act = an_act(
        HOSTILE, a_timeline(event, why_open=HOSTILE), argv=(HOSTILE, HUGE), stdout=HUGE, stderr=HOSTILE, stdin=HOSTILE
    )
    pulse = PulseResult(
        HOSTILE,
        (HOSTILE,),
        ((0.0, 1.0, HOSTILE), (1.0, 2.0, "allowed"), (1e300, 1e301, "enforced")),
        (GapResult(-1.0, 5.0, 1, 1, None, None),),
        (HappeningResult(HOSTILE, HUGE, -1.0, 3.0), HappeningResult(HUGE, HOSTILE, None, None)),
        1,
    )
    claims = tuple(
        a_claim(
            verdict, name=HOSTILE, title=HOSTILE, reason=HUGE, message=HUGE + HOSTILE, acts=(HOSTILE,), finding=HOSTILE
        )
        for verdict in (*VERDICTS, None, HOSTILE)
    )
    policy = a_policy(
        HOSTILE,
        "violates",
        title=HUGE,
        suite=HOSTILE,
        line=HOSTILE + HUGE,
        loading_reason=HUGE,
        claims=claims,
        limits=(LimitResult(HOSTILE, HOSTILE, HUGE, "passes", HOSTILE), LimitResult("n", HUGE, "", HOSTILE, HUGE)),
        states=(StateResult(HUGE, HOSTILE, HUGE, HOSTILE, {HOSTILE: 1}),),
        needs=(NeedResult(HOSTILE, met=None, source=HUGE),),
        notes=(HOSTILE, HUGE),
        spec=HUGE,
        manifest=HOSTILE,
        counts={HOSTILE: 2, "violates": 1},
        acts=(act, act, replace(act, timeline=None, missing=HUGE)),
        continuity=ContinuityResult(HOSTILE, HUGE, (HOSTILE, HUGE), (pulse, pulse)),
    )
    finding = FindingResult(HOSTILE, HUGE, seen=True, policies=(HOSTILE,))
    run = RunResult(HOSTILE, HOSTILE, 1.0, HUGE, whole=True, red=(HOSTILE, HUGE))
    cell = Cell(HOSTILE, HUGE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, {HOSTILE: HUGE})
    target = TargetResult(HOSTILE, cell, (HOSTILE, HUGE), Bindings({HOSTILE: (PodBinding(HOSTILE, HUGE),)}), HOSTILE)
    pins = PinResult(1, (HOSTILE,))
    return a_result(policy, policy, run=run, target=target, findings=(finding, finding), pins=pins, tetraproof=HOSTILE)


RESULTS = {
    "every verdict": a_full_result(),
    "hostile": a_hostile_result(),
    "no policy": a_result(),
    "no acts, no promises": a_result(a_policy("bare", claims=(), acts=(), counts={})),
}
results = pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)


@results
def test_a_page_is_closed_to_the_outside(result: Result) -> None:
    """Well formed, with one script and one style, which its own policy names by digest; nothing leads elsewhere."""
    shown = Page(page(result))
    assert shown.tags["script"] == shown.tags["style"] == 1
    assert not FORBIDDEN & set(shown.tags)
    assert not [found for found in shown.attributes if found[1].startswith("on") or found[1] == "style"]
    assert {link for link in shown.links if not link.startswith("#")} == {"data:,", "verdicts.json"}
    allowed = next(value for _, name, value in shown.attributes if name == "content" and "default-src" in value)
    assert allowed.startswith("default-src 'none';")
    assert "form-action 'none'" in allowed
    for code in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(shown.code[code].encode()).digest()).decode()
        assert f"{code}-src 'sha256-{digest}'" in allowed
        assert "url(" not in shown.code[code]
        assert "//" not in re.sub(r"^ *// .*$", "", shown.code[code], flags=re.MULTILINE)


@results
def test_every_link_arrives(result: Result) -> None:
    """Ids are unique, and what links into the page finds its place."""
    shown = Page(page(result))
    assert [name for name, times in Counter(shown.ids).items() if times > 1] == []
    assert {link[1:] for link in shown.links if link.startswith("#")} <= set(shown.ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in shown.ids)


@results
def test_no_text_steers_the_page(result: Result) -> None:
    """No control, bidirectional or hidden character reaches the page, and it can be written as UTF-8."""
    html = page(result)
    assert not set(html) & {"\x1b", "\x00", "\u202e", "\r"}
    assert html.encode().decode() == html


def test_hostile_text_is_shown_as_it_is() -> None:
    """What looks like markup is text, and of a long text the whole can be read."""
    shown = Page(page(a_hostile_result()))
    assert safe(HOSTILE) in shown.text
    assert HUGE in "".join(shown.texts)


def test_all_of_a_result_is_on_the_page() -> None:
    """Every policy with its line, every promise, limit, state, need, note, act, event and finding."""
    result = a_full_result()
    text = Page(page(result)).text
    wanted = [
        *result.run.red,
        *result.target.introduction,
        "make test K=x",
        "a-recording",
        "10.0.0.0/18",
        "nginx-1",
        "p-conforms differs",
    ]
    wanted += [finding.title for finding in result.findings]
    for policy in result.policies:
        wanted += [
            policy.name,
            policy.title,
            label.reason(policy),
            policy.spec,
            *policy.notes,
            *(claim.title for claim in policy.claims),
        ]
        wanted += [claim.reason for claim in policy.claims]
        wanted += [f"passes: {limit.label}" for limit in policy.limits] + [limit.title for limit in policy.limits]
        wanted += [part for state in policy.states for part in (state.node, state.state, state.error)]
        wanted += [part for need in policy.needs for part in (need.why, need.source)]
        wanted += [
            part for act in policy.acts for part in (act.name, act.missing, act.stdout, act.stderr, act.stdin or "")
        ]
        events = [event for act in policy.acts if act.timeline for event in act.timeline.events]
        wanted += [part for event in events for part in (event.text, event.compact)]
    folded = [" ".join(part.split()) for part in wanted]
    assert [part for part in folded if part not in text] == []


def test_what_needs_no_script_is_verdicts_promises_and_reasons() -> None:
    """Acts are folded up, and whoever has no script is told where they are."""
    result = a_full_result()
    text = " ".join(re.sub(r"<[^>]*>", " ", page(result)).split())
    for policy in result.policies:
        told = [policy.name, policy.title, label.reason(policy), *(limit.title for limit in policy.limits)]
        told += [part for claim in policy.claims for part in (claim.title, claim.reason)]
        assert [part for part in told if " ".join(part.split()) not in text] == []
    assert "told exec" not in text
    assert "Acts and timelines are in verdicts.json" in text


def test_the_gravest_is_first_and_what_surprises_is_open() -> None:
    """A violation that nothing explains, and what could not be judged."""
    known = a_policy("known", "violates", claims=(a_claim("violates", finding="f", finding_seen=True),))
    policies = (a_policy("good"), known, a_policy("unheard", "inconclusive"), a_policy("new", "violates"))
    assert Page(page(a_result(*policies))).details == {
        "policy-new": True,
        "policy-unheard": True,
        "policy-known": False,
        "policy-good": False,
    }


def test_each_promise_has_an_address() -> None:
    """Of its policy and its own name, and none is an act's."""
    shown = Page(page(a_result(a_policy(claims=(a_claim(name="guarded"),), acts=(an_act("guarded"),)))))
    assert {"policy-block-fd-install--guarded", "policy-block-fd-install--guarded-2"} <= set(shown.ids)


def test_every_verdict_is_explained() -> None:
    """The legend tells each verdict in a clause, with how many policies have it."""
    text = Page(page(a_full_result())).text
    for verdict in VERDICTS:
        assert f"{verdict} : {label.MEANINGS[verdict]}" in text.replace(f"{verdict}:", f"{verdict} :")


@pytest.mark.parametrize(
    ("red", "whole", "says"),
    [((), True, "This run is green"), (("x is new",), True, "This run is red"), ((), False, "Not the whole run")],
)
def test_the_page_says_how_the_run_ended(red: tuple[str, ...], says: str, *, whole: bool) -> None:
    """Green, red and why, or not all of it."""
    run = RunResult("r", "2026-11-23", 1.0, "make test", whole=whole, red=red)
    text = Page(page(a_result(a_policy(), run=run))).text
    assert says in text
    assert ("This run is green" in text) == (not red)
    assert "nothing is enforced on this machine" in text


def test_a_promise_that_was_not_judged_says_so() -> None:
    """Without a verdict a promise is `not judged`, which is no verdict."""
    text = Page(page(a_result(a_policy(claims=(a_claim(None),), counts={"not judged": 1})))).text
    assert "not judged" in text
    assert "not judged" not in Page(page(a_result(a_policy()))).text


def test_a_known_refutation_leads_to_its_finding() -> None:
    """The promise's tag links to the finding's place, and the finding to the policy."""
    shown = Page(page(a_full_result()))
    assert {"#finding-workers", "#policy-harm"} <= set(shown.links)
    assert "known: nginx's workers are killed" in shown.text


@pytest.mark.parametrize(("why_open", "end"), [("", "#m-sentinel"), (OPEN, "#m-tear")])
def test_a_timeline_shows_whether_it_was_heard(why_open: str, end: str) -> None:
    """A heard timeline ends at its sentinel, an open one is torn and says why."""
    legend = 1
    act = an_act(timeline=a_timeline(an_event(), why_open=why_open))
    shown = Page(page(a_result(a_policy(acts=(act,)))))
    ends = Counter(link for link in shown.links if link in {"#m-sentinel", "#m-tear"})
    assert ends[end] == legend + 2
    assert sum(ends.values()) == 2 * legend + 2
    assert (OPEN in shown.text) is bool(why_open)


def test_every_mark_has_words() -> None:
    """Each mark in a picture is named for those who cannot see it."""
    shown = Page(page(a_result(a_policy())))
    pictured = [
        "sentinel: the stream was heard to its end",
        "+0.000 s exec: told exec 0.0",
        "+0.100 s kprobe: told kprobe 0.1",
        "+0.200 s exit: told exit 0.2",
    ]
    assert shown.titles[1:] == pictured
    assert shown.attributes.count(("g", "role", "img")) == len(pictured)


@pytest.mark.parametrize(("kind", "fields", "expected"), SHAPES)
def test_the_shape_tells_what_the_agent_says(kind: str, fields: dict[str, Any], expected: str) -> None:
    """A mark's shape follows from the event's kind and fields."""
    assert shape(an_event(kind=kind, **fields)) == expected


def test_an_event_of_any_form_has_a_shape() -> None:
    """What is no process event, or malformed, is still drawn."""
    assert shape(replace(an_event(), kind="rate-limit", event={})) == "other"
    assert shape(replace(an_event(), kind="exit", event={"process_exit": "?"})) == "exit-0"


offsets = st.floats(-5, 600, allow_nan=False)


@given(st.lists(st.tuples(offsets, st.booleans()), max_size=MOST_EVENTS))
@example([(0.0, True)] * 40)
@example([(0.2, True), (0.1, True), (0.0, False)])
def test_marks_keep_their_order_and_apart(drawn: list[tuple[float, bool]]) -> None:
    """Everything lies within the picture; on each side marks follow time and do not cover each other."""
    shown = picture(a_timeline(*(an_event(offset, own=own) for offset, own in drawn)), "x")
    assert len(shown.marks) == len(drawn)
    assert all(0 <= place <= 90 for mark in shown.marks for place in (mark.at, mark.time))
    assert all(0 <= tick.at <= 90 for tick in shown.ticks)
    assert shown.bystanders is not all(own for _, own in drawn)
    for own in (True, False):
        side = sorted(
            (offset, mark.at) for (offset, at_own), mark in zip(drawn, shown.marks, strict=True) if at_own is own
        )
        places = [at for _, at in side]
        assert places == sorted(places)
        assert all(later - at > 1 for at, later in pairwise(places))


def test_time_is_drawn_to_scale() -> None:
    """Marks with room around them stand at their time."""
    marks = picture(a_timeline(an_event(0), an_event(1), an_event(4)), "x").marks
    first, second, third = (mark.time for mark in marks)
    assert second - first == pytest.approx((third - first) / 4, abs=0.1)
    assert [mark.at for mark in marks] == [first, second, third]


def test_a_long_timeline_is_cut_in_the_middle() -> None:
    """Of very many events the first and the last are shown, with how many are left out."""
    events = [an_event(at / 1000, text=f"event number {at}.") for at in range(MOST_EVENTS + 41)]
    text = Page(page(a_result(a_policy(acts=(an_act(timeline=a_timeline(*events)),))))).text
    assert "… 41 events more" in text
    shown = [at for at in range(len(events)) if f"event number {at}." in text]
    assert shown == [*range(MOST_EVENTS // 2), *range(len(events) - MOST_EVENTS // 2, len(events))]


def test_acts_that_are_not_judged_are_told_apart() -> None:
    """An act that no suite declares is dimmed; one that sets the scene says so."""
    shown = Page(page(a_full_result()))
    assert [value for tag, name, value in shown.attributes if (tag, name) == ("li", "class")].count("dim") == 1
    assert "set_scene prepare" in shown.text
    assert "stranger not asked for" in shown.text


def test_a_real_run_stays_small() -> None:
    """17 policies of 15 acts of 4 events, each of 2 kB, are less than 3 MB."""
    ballast: dict[str, Any] = {f"field_{number}": {"name": "value " * 5, "uid": number} for number in range(29)}
    acts = tuple(
        an_act(f"act-{number}", a_timeline(*(an_event(at, **ballast) for at in range(4)))) for number in range(15)
    )
    assert len(json.dumps(an_event(**ballast).event)) >= 2000
    assert len(page(a_result(*(a_policy(f"p{number}", acts=acts) for number in range(17))))) < 3_000_000


def test_templates_trust_nothing() -> None:
    """No template switches escaping off."""
    for template in (Path(label.__file__).parent).glob("*.j2"):
        assert not re.search(r"\|\s*safe\b|autoescape|Markup", template.read_text(encoding="utf-8")), template.name


def test_the_summary_tells_all_in_order() -> None:
    """A line for each policy with its verdict first, then findings, pins, and why the run is red."""
    result = a_full_result()
    lines = summary_text(result, 200)
    for line, policy in zip(lines, result.policies, strict=False):
        assert line.split()[0] == policy.verdict
        assert policy.name in line
        assert line.endswith(policy.line.removeprefix(f"{policy.verdict} · "))
    rest = lines[len(result.policies) :]
    sections = ["findings seen:", "findings not seen here:", "pinned:", "red, because:"]
    assert [line for line in rest if line and not line.startswith(" ")] == sections
    assert "  a new violation" in rest[rest.index("red, because:") :]
    assert rest[rest.index("findings seen:") + 1] == "  nginx's workers are killed"
    assert "  7 entries of expected.json held, 1 differ" in rest
    assert "  p-conforms differs" in rest


@pytest.mark.parametrize("width", [20, 60, 120])
@results
def test_the_summary_fits(result: Result, width: int) -> None:
    """No line is wider than the terminal or steers it, and long texts are cut."""
    lines = summary_text(result, width)
    assert all(cell_len(line) <= width for line in lines)
    assert all(safe(line) == line for line in lines)
    assert len(lines) < 300


def test_a_green_run_says_no_more() -> None:
    """Without findings, pins and reasons there is nothing after the policies."""
    assert summary_text(a_result(a_policy()), 80) == ["conforms  block-fd-install · the reason of block-fd-install"]


@given(st.lists(st.text(max_size=12), max_size=8))
@example(["a", "a", "a-2", "A", "", "…"])
def test_slugs_are_unique(texts: list[str]) -> None:
    """Each text has a slug of its own that needs no quoting."""
    slugs = label.slugs(texts)
    assert len(set(slugs)) == len(texts)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)


@given(st.lists(st.text(st.characters(exclude_characters="\x00"), max_size=12), min_size=1))
@example(["bash", "-c", "echo 'foo' > /tmp/x"])
@example(["bash", "-c", "echo '$HOME' `id` \\ \"!\""])
def test_a_command_is_what_a_shell_reads(argv: list[str]) -> None:
    """What is shown of an act can be typed."""
    assert shlex.split(command_line(argv)) == argv


def test_a_command_is_quoted_like_a_person_would() -> None:
    """Single quotes inside make for double quotes around."""
    assert command_line(("bash", "-c", "echo 'foo' > /tmp/x")) == "bash -c \"echo 'foo' > /tmp/x\""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(values)
def test_json_stays_what_it_is(value: object) -> None:
    """Laid out for a person it is still the same JSON."""
    assert json.loads(pretty(value)) == value


def test_short_json_stays_on_a_line() -> None:
    """What fits on a line is not spread over several."""
    assert pretty({"a": 1, "b": [1, 2]}) == '{"a": 1, "b": [1, 2]}'
    assert pretty({"a": "x" * 60, "b": {"c": "y" * 60}}).count("\n") == 3
