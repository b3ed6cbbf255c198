"""A whole run against the mock cluster: what it observes is recorded, and replay judges the recording alike.

Bad weather of a scenario is here as well: whatever breaks, what was not heard is never claimed,
and the cluster is as it was before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from tests.api_server import ApiServer, Exec, Refusal, interrupt
from tests.builders import NODE, Json, execs, started
from tests.clusters import (
    ACTS,
    CRD,
    GUARDED,
    PATIENT,
    POLICIES,
    SECOND,
    Lab,
    at,
    endless,
    guard,
    hurried,
    manifest,
    nothing_runs,
    opened,
    playing,
)
from tetraproof.judging.claim import Claim
from tetraproof.judging.expectation import Exactly, Kprobe
from tetraproof.judging.scenario import Run
from tetraproof.observing.act import Acts, agent, command, shell, typed
from tetraproof.pacing.waiting import until
from tetraproof.policies.policy import Policy
from tetraproof.recordings.recording import open_recording
from tetraproof.targets import Changing, Target, Unanswerable
from tetraproof.targets.keeping import manifest_of
from tetraproof.targets.live import Live
from tetraproof.targets.replay import Replay
from tetraproof.verdict import Verdict

KILLED = Kprobe("fd_install", file=GUARDED, action="SIGKILL").by("/usr/bin/bash")
C, V, I, U = Verdict.CONFORMS, Verdict.VIOLATES, Verdict.INCONCLUSIVE, Verdict.UNSUPPORTED  # noqa: E741


def guarded(run: Run) -> None:
    assert run.guarded.killed
    assert Exactly(1, KILLED) in run.guarded.timeline


def other(run: Run) -> None:
    assert run.other.succeeded
    assert Kprobe("fd_install") not in run.other.timeline


def wrong(run: Run) -> None:
    assert run.other.killed


def loaded(run: Run) -> None:
    assert run.loaded


CLAIMS = (
    Claim("applying is loading", loaded, about_loading=True),
    Claim("guarded", guarded),
    Claim("other", other),
    Claim("wrong", wrong),
)
#: What the small run comes to where all is well: the last claim is one that must fail.
WELL = (C, C, C, V)
Judgements = dict[str, tuple[Verdict | str, ...]]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    hurried(monkeypatch)
    with ApiServer() as server:
        yield server


def judged(target: Target, policy: Policy | None = None, acts: Acts = ACTS) -> Judgements:
    """The verdicts of the claims in each scenario; one that has none says why."""
    policy = policy or guard()
    told: Judgements = {}
    for scenario in target.scenarios("guard", policy, {}):
        try:
            run = Run(target.observe(policy, {}, tuple(acts), scenario), tuple(acts))
            results = [claim.judge(run) for claim in CLAIMS]
            told[scenario] = tuple(one.judgement.verdict if one.judged else "not judged" for one in results)
        except Unanswerable as error:
            told[scenario] = (error.verdict, str(error))
    return told


def notes(live: Live, scenario: str = "guard") -> str:
    (record,) = [one for one in live.recorder.index.scenarios if one.name == scenario]
    return "\n".join(record.notes)


def replayed(live: Live, folder: Path, policy: Policy | None = None) -> Judgements:
    """The same claims, judged on what the run recorded."""
    live.recorder.write(folder)
    return judged(Replay(open_recording(folder)), policy)


@pytest.mark.parametrize("nodes", [(NODE,), (NODE, SECOND)])
def test_a_run_and_its_recording_come_to_the_same(nodes: tuple[str, ...], api: ApiServer, tmp_path: Path) -> None:
    """On each node; a wrong expectation fails in both; and nothing is left behind."""
    lab = Lab(api, nodes)
    before = api.snapshot()
    with opened(lab, tmp_path) as (live, _):
        told = judged(live)
        assert set(told.values()) == {WELL}
        assert len(told) == len(nodes)
        assert replayed(live, tmp_path / "recording") == told
    assert api.snapshot() == before
    assert nothing_runs(api)


def test_the_message_of_a_failure_is_whole(api: ApiServer, tmp_path: Path) -> None:
    """With the timeline, as on replay."""
    with opened(Lab(api), tmp_path) as (live, _):
        run = Run(live.observe(guard(), {}, tuple(ACTS), "guard"), tuple(ACTS))
        reason = CLAIMS[-1].judge(run).judgement.reason
        assert "act other" in reason
        assert "timeline   node tetra-node" in reason


def test_what_a_run_uses_is_what_it_asks_to_be_allowed(api: ApiServer, tmp_path: Path) -> None:
    """Every verb on every resource, in a whole run; the exceptions can be done without."""
    asked: set[str] = set()
    may = api._may

    def noted(wanted: dict[str, str]) -> bool:
        named = f"{wanted['resource']}.{wanted['group']}" if wanted.get("group") else wanted["resource"]
        sub = f"/{wanted['subresource']}" if "subresource" in wanted else ""
        asked.add(f"{wanted['verb']} {named}{sub}")
        return may(wanted)

    api._may = noted  # type: ignore[method-assign,assignment]
    with opened(Lab(api), tmp_path) as (live, _):
        judged(live)
    reviews = "create selfsubjectaccessreviews.authorization.k8s.io"
    assert api.used - asked == {reviews, "list servicecidrs.networking.k8s.io"}


def test_policies_are_confined_to_the_runs_own_pods(api: ApiServer, tmp_path: Path) -> None:
    """A bystander that does the same is left alone, and what was applied is in the recording."""
    lab = Lab(api)
    seen: list[Json] = []
    api.created.append(lambda made: seen.append(made) if made["kind"] == "TracingPolicy" else None)
    api.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "theirs", "namespace": "default"}})
    with opened(lab, tmp_path) as (live, site):
        assert set(judged(live).values()) == {WELL}
        assert "podSelector tetraproof.dev/run: 0a1b2c" in notes(live)
        assert seen[0]["spec"]["podSelector"] == {"matchLabels": {"tetraproof.dev/run": "0a1b2c"}}
        assert seen[0]["metadata"]["labels"] == site.workspace.labels
        applied = live.recorder.only("guard").text("scenarios/guard/applied.yaml")
        assert applied is not None
        assert "podSelector" in applied
        api.put(seen[0])
        theirs = api.of("v1/Pod", "default")[0]
        theirs["spec"] = {"nodeName": NODE}
        assert lab._killed_by(theirs, f"echo > {GUARDED}") is None
        del api.objects[POLICIES, "", "guard"]


def test_a_policy_that_cannot_be_confined_is_unsupported(api: ApiServer, tmp_path: Path) -> None:
    """Where the agent filters by no pod, it would meet what is not ours; unless the user says so."""
    lab = Lab(api)
    api.objects["v1/ConfigMap", "kube-system", "tetragon-config"]["data"]["enable-policy-filter"] = "false"
    seen: list[Json] = []
    api.created.append(lambda made: seen.append(made) if made["kind"] == "TracingPolicy" else None)
    with opened(lab, tmp_path / "confined") as (live, _):
        ((verdict, why),) = judged(live).values()
        assert verdict is U
        assert "enable-policy-filter: false" in str(why)
        assert "--cluster-wide" in str(why)
        assert seen == []
    with opened(lab, tmp_path / "wide", cluster_wide=True) as (live, _):
        assert judged(live) == {"guard": WELL}
        assert "podSelector" not in seen[0]["spec"]
        assert any("as it is written, on the whole cluster" in line for line in live.introduction())


def test_of_an_export_log_only_what_is_ours_is_kept(api: ApiServer, tmp_path: Path) -> None:
    """Others' events are not ours to keep; what is no event is told."""
    lab = Lab(api)
    theirs = execs(started(7, arguments="a secret", pod="default/theirs")).line
    lab._exported[NODE] += [theirs, b"tail: the log has been replaced"]
    with opened(lab, tmp_path) as (live, _):
        assert judged(live) == {"guard": WELL}
        kept = live.recorder.only("guard").in_scenario("guard", "export.jsonl") or b""
        assert b"sentinel-end" in kept
        assert b"a secret" not in kept
        assert b"has been replaced" in kept
        assert b"a secret" not in (live.recorder.only("guard").in_scenario("guard", "events.jsonl") or b"")


def test_of_what_the_agents_say_only_the_runs_own_policy_is_kept(api: ApiServer, tmp_path: Path) -> None:
    """What somebody else has in force on a shared cluster, and where, is not ours to tell: only that it was there."""
    lab = Lab(api)
    theirs = {"apiVersion": "cilium.io/v1alpha1", "spec": {"kprobes": []}}
    api.put({**theirs, "kind": "TracingPolicy", "metadata": {"name": "somebody-elses"}})
    of_one = {"name": "guard", "namespace": "bystander"}
    api.put({**theirs, "kind": "TracingPolicyNamespaced", "metadata": of_one})
    with opened(lab, tmp_path) as (live, _):
        told = judged(live)
        assert told == {"guard": WELL}
        assert replayed(live, tmp_path / "recording") == told
        assert "beside it the agent had 2 other policies" in notes(live)
        kept = open_recording(tmp_path / "recording")
        for after in (False, True):
            ((state,),) = kept.states("guard", after=after).values()
            assert (state["name"], state.get("namespace"), state["state"]) == ("guard", None, "TP_STATE_ENABLED")
        for path, content in kept.files.items():
            assert b"somebody-elses" not in content, path
            assert b"bystander" not in content, path


@pytest.mark.parametrize("nodes", [(NODE,), (NODE, SECOND)])
def test_two_suites_of_one_policy_each_keep_their_own(nodes: tuple[str, ...], api: ApiServer, tmp_path: Path) -> None:
    """Each is judged on its own acts, live and on replay, known by its name or by its acts."""
    suites = {
        "suites/test_one.py": (ACTS, "guarded"),
        "suites/test_more.py": (
            Acts(more=shell(f"echo more > {GUARDED}"), other=shell("echo foo > /tmp/other")),
            "more",
        ),
    }

    def told(target: Target, *, named: bool) -> list[tuple[str, str, Verdict]]:
        found = []
        for suite, (acts, act) in suites.items():
            claim = Claim(act, lambda run, act=act: _killed(run, act))
            for scenario in target.scenarios("guard", guard(), {}):
                observed = target.observe(guard(), {}, tuple(acts), scenario, suite if named else "")
                found.append((scenario, act, claim.judge(Run(observed, tuple(acts))).judgement.verdict))
        return found

    with opened(Lab(api, nodes), tmp_path) as (live, _):
        expected = told(live, named=True)
        assert len(expected) == 2 * len(nodes)
        assert {verdict for _, _, verdict in expected} == {C}
        assert told(live, named=True) == expected
        live.recorder.write(tmp_path / "recording")
    recording = open_recording(tmp_path / "recording")
    expected_of = [("suites/test_one.py", False), ("suites/test_more.py", True)]
    assert [(one.suite, bool(one.beside)) for one in recording.index.scenarios] == [
        one for one in expected_of for _ in nodes
    ]
    for named in (True, False):
        assert told(Replay(recording), named=named) == expected


def refused(target: Target, change: str, policy: Policy) -> tuple[Verdict, str]:
    """Why a change of the installation cannot be judged."""
    assert isinstance(target, Changing)
    with pytest.raises(Unanswerable) as told:
        target.observe_change(change, policy, next(iter(target.changes(change, policy)), ""))
    return told.value.verdict, str(told.value)


def test_a_change_that_cannot_be_made_has_one_word_live_and_on_replay(api: ApiServer, tmp_path: Path) -> None:
    """With its reason, which the recording keeps for the policy that it was of; of what nobody asked it has none."""
    other = guard(name="other", spec={**guard().spec, "podSelector": {"matchLabels": {"a": "b"}}})
    with opened(Lab(api), tmp_path) as (live, _):
        told = [refused(live, "upgrade", policy) for policy in (guard(), other)]
        live.recorder.write(tmp_path / "recording")
    assert told == [(U, "the installation is not ours to change (AGENT=install)")] * 2
    replay = Replay(open_recording(tmp_path / "recording"))
    assert [one.name for one in replay.recording.index.scenarios] == ["upgrade", "upgrade~2"]
    assert [refused(replay, "upgrade", policy) for policy in (guard(), other)] == told
    assert refused(replay, "rollback", guard()) == (Verdict.UNRECORDED, "the recording has no rollback")


def _killed(run: Run, act: str) -> None:
    assert getattr(run, act).killed


def test_an_act_through_a_terminal_and_one_in_a_pipe(api: ApiServer, tmp_path: Path) -> None:
    """What is typed reaches the shell; it is killed in its turn."""
    acts = Acts(piped=typed("echo hi", f"echo foo > {GUARDED}"), terminal=typed("echo hi", tty=True))
    with opened(Lab(api), tmp_path) as (live, _):
        run = Run(live.observe(guard(), {}, tuple(acts), "guard"), tuple(acts))
        piped, terminal = (live.recorder.only("guard").acts("guard")[at] for at in (1, 2))
        assert (piped.exit_code, terminal.exit_code, terminal.tty) == (137, 0, True)
        assert "echo hi" in terminal.stdout
        assert run.loaded


def test_a_program_that_is_not_in_the_image_is_unsupported(api: ApiServer, tmp_path: Path) -> None:
    """It is never tried, and the others are judged."""
    lab = Lab(api)
    lab.without = {"vi"}
    acts = Acts(**{one.name: one for one in ACTS}, editor=command("vi", "x"))
    with opened(lab, tmp_path) as (live, _):
        assert judged(live, acts=acts) == {"guard": WELL}
        (tried,) = [one for one in live.recorder.only("guard").acts("guard") if one.id == "editor"]
        assert tried.lacks == "vi is not in the image of probe"
        assert tried.started == ""


def test_a_workload_that_is_not_there_is_no_outcome(api: ApiServer, tmp_path: Path) -> None:
    """Nor is a name that is bound to nothing."""
    acts = Acts(gone=shell("true", pod="nobody"), unbound=shell("curl {nothing.service}"))
    with opened(Lab(api), tmp_path) as (live, _):
        live.observe(guard(), {}, tuple(acts), "guard")
        gone, unbound = live.recorder.only("guard").acts("guard")[1:3]
        assert gone.broken == "there is no pod of nobody here"
        assert unbound.broken == "nothing.service is bound to nothing here"


def test_loading_is_waited_for_on_every_node(api: ApiServer, tmp_path: Path) -> None:
    """The acts come after it."""
    lab = Lab(api, (NODE, SECOND))
    lab.loading = {NODE: 3, SECOND: 6}
    with opened(lab, tmp_path) as (live, _):
        assert set(judged(live).values()) == {WELL}


# bad weather: a policy that is not what it should be


@pytest.mark.parametrize(
    ("error", "verdict"),
    [("can't override 'security_file_permission' function with kprobe_multi", U), ("failed to load: EINVAL", V)],
)
def test_a_policy_that_is_refused_on_one_node_has_a_verdict_there(
    error: str, verdict: Verdict, api: ApiServer, tmp_path: Path
) -> None:
    """By the agent's word; on the other it conforms."""
    lab = Lab(api, (NODE, SECOND))
    lab.refuses[SECOND] = error
    before = api.snapshot()
    policy = guard()
    if verdict is U:
        (hook,) = policy.spec["kprobes"]
        more = json.dumps(hook).replace("Sigkill", "Override").replace("fd_install", "security_file_permission")
        policy = guard(spec={**policy.spec, "kprobes": [hook, json.loads(more)]})
    with opened(lab, tmp_path) as (live, _):
        told = judged(live, policy)
        assert told[f"guard@{NODE}"][0] is C
        assert told[f"guard@{SECOND}"] == (verdict, "not judged", "not judged", "not judged")
        assert replayed(live, tmp_path / "recording", policy) == told
    assert api.snapshot() == before


def test_a_policy_whose_state_never_settles_is_told(api: ApiServer, tmp_path: Path) -> None:
    """With the last that each node said; its promises are not claimed."""
    lab = Lab(api)
    lab.loading = {NODE: 10_000}
    with opened(lab, tmp_path, deadlines=replace(PATIENT, policy=0.1)) as (live, _):
        (verdicts,) = judged(live).values()
        assert verdicts[0] is not C
        assert "tetra-node says TP_STATE_UNKNOWN" in notes(live)


@pytest.mark.parametrize("word", ["PARTIALLY_ENABLED", "SKIPPED", "DISABLED"])
def test_whatever_an_agent_comes_to_is_not_waited_for_any_longer(word: str, api: ApiServer, tmp_path: Path) -> None:
    """Another word than enabled is judged, and no deadline is missed for it."""
    lab = Lab(api)
    lab.says = {NODE: f"TP_STATE_{word}"}
    with opened(lab, tmp_path, deadlines=replace(PATIENT, policy=600)) as (live, _):
        (verdicts,) = judged(live).values()
        assert verdicts[0] is not C
        assert "awaiting" not in notes(live)


def test_an_older_crd_makes_a_policy_unsupported(api: ApiServer, tmp_path: Path) -> None:
    """With the field that it does not have; nothing was created."""
    lab = Lab(api)
    schema = lab.crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del schema["properties"]["podSelector"]
    before = api.snapshot()
    with opened(lab, tmp_path) as (live, _):
        ((verdict, why),) = judged(live).values()
        assert verdict is U
        assert str(why).startswith("the cluster's CRD is older than the policy: ")
        assert str(why).endswith('strict decoding error: unknown field "spec.podSelector".')
        assert api.of(POLICIES) == []
    assert api.snapshot() == before


def test_a_policy_of_the_same_name_is_never_replaced(api: ApiServer, tmp_path: Path) -> None:
    """Nor removed: it is the user's, and is as it was."""
    lab = Lab(api)
    theirs = api.put({**manifest(manifest_of(guard(spec={"kprobes": []}))), "metadata": {"name": "guard"}})
    before = api.snapshot()
    with opened(lab, tmp_path) as (live, _):
        ((verdict, why),) = judged(live).values()
        assert verdict is I
        assert "A TracingPolicy guard is there already, and is never replaced." in str(why)
    assert api.snapshot() == before
    assert api.objects[POLICIES, "", "guard"] == theirs


def test_a_policy_that_somebody_else_makes_at_the_same_moment_is_left_alone(api: ApiServer, tmp_path: Path) -> None:
    """Between our question and our creation: the server refuses ours, and what is there is not ours to remove."""
    lab = Lab(api)
    theirs = {**manifest(manifest_of(guard(spec={"kprobes": []}))), "metadata": {"name": "guard"}}
    with opened(lab, tmp_path) as (live, _):
        api.faults = [after_dry_run(lambda: api.put(theirs))]
        ((verdict, why),) = judged(live).values()
        assert verdict is I
        assert "already exists" in str(why)
        assert api.names(POLICIES) == ["guard"]
    assert api.names(POLICIES) == ["guard"]


def after_dry_run(do: Callable[[], object]) -> Callable[[object], None]:
    """A fault at the creation that follows a dry run."""

    def fault(asked: object) -> None:
        if str(asked).startswith("create tracingpolicies") and "dry run" not in str(asked):
            do()

    return fault


def test_a_policy_of_a_file_that_nobody_finds_is_not_applied(api: ApiServer, tmp_path: Path) -> None:
    """On a cluster the agent's mounts are its own pod's: hooked would be a file of that, or none."""
    lab = Lab(api)
    hooks = guard(spec={"uprobes": [{"path": "/usr/bin/bash", "symbols": ["readline"]}]})
    policy = replace(hooks, bound={"/usr/bin/bash": "probe.file"})
    why = "the policy hooks /usr/bin/bash of probe, and where the agent finds probe's files is not known"
    with opened(lab, tmp_path) as (live, _):
        assert judged(live, policy) == {"guard": (U, why)}
        assert replayed(live, tmp_path / "recording", policy) == {"guard": (U, why)}
    assert not [line for line in api.asked if line.startswith("create tracingpolicies")]


def test_a_namespaced_policy_is_applied_where_its_workload_is(api: ApiServer, tmp_path: Path) -> None:
    """Found by namespace and name; one of a namespace that the run does not have is unsupported."""
    lab = Lab(api)
    before = api.snapshot()
    inside = guard(kind="TracingPolicyNamespaced", namespace="other")
    with opened(lab, tmp_path) as (live, _):
        assert judged(live, inside) == {"guard": WELL}
        assert any("create tracingpoliciesnamespaced.cilium.io tetraproof-0a1b2c-other/" in line for line in api.asked)
        outside = guard(kind="TracingPolicyNamespaced", namespace="kube-system")
        why = "no workload of the run is in namespace kube-system"
        assert judged(live, outside, Acts(**{one.name: one for one in ACTS}, more=command("true"))) == {
            "guard": (U, why)
        }
    assert api.snapshot() == before


# bad weather: what is not heard, and what is lost


def test_an_agent_that_falls_silent_is_never_taken_for_quiet(api: ApiServer, tmp_path: Path) -> None:
    """An outcome may still refute; absence and events are inconclusive."""
    lab = Lab(api)
    with opened(lab, tmp_path, deadlines=replace(PATIENT, sentinel=0.3)) as (live, _):
        lab.deaf = {NODE}
        assert judged(live) == {"guard": (C, I, I, V)}
        assert "the stream was not heard to its end" in notes(live)


def test_events_that_were_lost_make_absence_inconclusive(api: ApiServer, tmp_path: Path) -> None:
    """By the agent's own metrics."""
    lab = Lab(api)
    lab.lost = count(5)
    with opened(lab, tmp_path) as (live, _):
        assert judged(live) == {"guard": (C, I, I, V)}


def test_a_stream_is_read_from_a_whole_line_on(api: ApiServer, tmp_path: Path) -> None:
    """What is still being written when a scenario begins is of the one before."""
    lab = Lab(api)
    streams: list[Exec] = []

    async def follow(command: Exec) -> None:
        streams.append(command)
        await lab.run(command)

    line = execs(started(7, pod="tetraproof-0a1b2c-other/probe")).line + b"\n"
    lab.plays["getevents -o json"] = follow
    with opened(lab, tmp_path) as (live, site):
        api.within(streams[0].out(line[:60]))
        until("half a line", site._streams[NODE][1].read_bytes, lambda text: text == line[:60], 10)

        async def goes_on(command: Exec) -> None:
            await streams[0].out(line[60:])
            await lab.run(command)

        lab.plays["sentinel-start-0"] = goes_on
        unprepared = Acts(**{one.name: one for one in ACTS if not one.prepare})
        assert judged(live, acts=unprepared) == {"guard": WELL}


def test_a_stream_that_is_cut_is_begun_anew_and_said_so(api: ApiServer, tmp_path: Path) -> None:
    """What was open is inconclusive; the next scenario is heard again."""
    lab = Lab(api)
    told: list[str] = []

    def cut() -> None:
        for one in list(api.running):
            if "getevents" in one.line:
                one.cut()

    lab.plays["/tmp/other"] = playing(cut, lab.act)
    with opened(lab, tmp_path, deadlines=replace(PATIENT, sentinel=0.5), tell=told.append) as (live, _):
        assert judged(live) == {"guard": (C, I, I, V)}
        lab.plays.clear()
        again = Acts(**{one.name: one for one in ACTS}, more=command("true", "again"))
        assert judged(live, acts=again) == {"guard": WELL}
    assert any("the stream of tetra-node had ended" in line and "begun anew" in line for line in told)


ORDERED = Acts(**{one.name: one for one in ACTS}, off=agent("disable"), later=shell("echo foo > /tmp/other"))


def later(run: Run) -> None:
    assert run.later.succeeded


def test_each_node_s_agent_is_told_of_the_policy_once(api: ApiServer, tmp_path: Path) -> None:
    """By its name; on replay the same act answers for it."""
    lab = Lab(api, (NODE, SECOND))
    heard: list[tuple[str, str]] = []

    async def disabled(command: Exec) -> None:
        heard.append((command.pod["spec"]["nodeName"], " ".join(command.argv)))
        await command.ends(0)

    lab.plays["tracingpolicy disable"] = disabled
    with opened(lab, tmp_path) as (live, _):
        for scenario in live.scenarios("guard", guard(), {}):
            run = Run(live.observe(guard(), {}, tuple(ORDERED), scenario), tuple(ORDERED))
            assert Claim("later", later).judge(run).judgement.verdict is C
    assert sorted(heard) == [(node, "tetra tracingpolicy disable guard") for node in sorted((NODE, SECOND))]


def test_where_an_agent_refuses_what_it_is_told_the_rest_is_undecided(api: ApiServer, tmp_path: Path) -> None:
    """Nobody knows then under what the later acts were done; those before it are judged."""
    lab = Lab(api)

    async def refused(command: Exec) -> None:
        await command.err("no such policy")
        await command.ends(1)

    lab.plays["tracingpolicy disable"] = refused
    with opened(lab, tmp_path) as (live, _):
        run = Run(live.observe(guard(), {}, tuple(ORDERED), "guard"), tuple(ORDERED))
        assert Claim("guarded", guarded).judge(run).judgement.verdict is C
        undecided = Claim("later", later).judge(run).judgement
        assert (undecided.verdict, undecided.reason) == (I, "preparation off failed before it: exit 1")


def test_an_act_that_never_ends_has_no_outcome(api: ApiServer, tmp_path: Path) -> None:
    """It is given up at its deadline, and what does not hang on it is judged."""
    lab = Lab(api)
    lab.plays[f"> {GUARDED}"] = endless
    before = api.snapshot()
    with opened(lab, tmp_path, deadlines=replace(PATIENT, act=0.5)) as (live, _):
        assert judged(live) == {"guard": (C, I, C, V)}
    assert api.snapshot() == before


def test_an_act_whose_pod_is_deleted_has_no_outcome(api: ApiServer, tmp_path: Path) -> None:
    """And no later act has one; the sentinel neither."""
    lab = Lab(api)
    before = api.snapshot()

    async def deleted(command: Exec) -> None:
        del api.objects["v1/Pod", command.pod["metadata"]["namespace"], "probe"]
        command.cut()

    lab.plays[f"> {GUARDED}"] = deleted
    with opened(lab, tmp_path, deadlines=replace(PATIENT, sentinel=0.3)) as (live, _):
        assert judged(live) == {"guard": (C, I, I, V)}
        broken = [one.broken for one in live.recorder.only("guard").acts("guard") if one.broken]
        assert any('pods "probe" not found' in one for one in broken)
    assert api.snapshot() == before


def test_an_agent_that_restarts_under_a_policy_is_told(api: ApiServer, tmp_path: Path) -> None:
    """While it loads, the policy is not in force there; after it, it is noted."""
    lab = Lab(api)
    lab.loading = {NODE: 2}
    api.created.append(lambda made: lab.restart_agent(NODE) if made["kind"] == "TracingPolicy" else None)
    with opened(lab, tmp_path) as (live, _):
        (verdicts,) = judged(live).values()
        assert verdicts[1:] == ("not judged",) * 3
        assert verdicts[0] is not C


AFTERWARDS = Acts(
    first=shell(f"echo 1 > {GUARDED}"),
    second=shell(f"echo 2 > {GUARDED}"),
    third=shell(f"echo 3 > {GUARDED}"),
    fourth=shell(f"echo 4 > {GUARDED}"),
)


def test_what_is_done_while_no_agent_enforces_is_never_held_against_the_policy(api: ApiServer, tmp_path: Path) -> None:
    """Its pod is another one: that is told once with the act, and what was killed before stays killed."""
    lab = Lab(api)

    async def unguarded(command: Exec) -> None:
        """Nobody kills it: the agent is gone."""
        lab.replace_agent(NODE)
        lab.plays["echo 4"] = free
        await free(command)

    async def free(command: Exec) -> None:
        await command.ends(0)

    lab.plays[f"echo 3 > {GUARDED}"] = unguarded
    with opened(lab, tmp_path, deadlines=replace(PATIENT, sentinel=0.3)) as (live, _):
        run = Run(live.observe(guard(), {}, tuple(AFTERWARDS), "guard"), tuple(AFTERWARDS))
        killed = {act.name: Claim(act.name, lambda run, act=act: _killed(run, act.name)) for act in AFTERWARDS}
        told = {name: claim.judge(run).judgement for name, claim in killed.items()}
        assert {name: one.verdict for name, one in told.items()} == {"first": C, "second": C, "third": I, "fourth": I}
        assert "no agent enforced the policy any more: the agent's pod is another one now" in told["third"].reason
        (note,) = [line for line in notes(live).splitlines() if "shows nothing against the policy" in line]
        assert "from act second" in note


def _killed(run: Run, name: str) -> None:
    assert getattr(run, name).killed


def test_a_workload_that_was_taken_away_refutes_nothing(api: ApiServer, tmp_path: Path) -> None:
    """What was asked of it failed, and that is not the policy's doing."""
    lab = Lab(api)
    acts = Acts(
        served=shell("curl http://{site.ip}/", pod="probe"),
        other=shell("echo foo > /tmp/other"),
    )

    async def refused(command: Exec) -> None:
        for key in [key for key in api.objects if key[0] == "v1/Pod" and key[2].startswith("site")]:
            del api.objects[key]
        await command.ends(7)

    lab.plays["curl http://"] = refused
    with opened(lab, tmp_path) as (live, _):
        run = Run(live.observe(guard(), {}, tuple(acts), "guard"), tuple(acts))
        served = Claim("served", lambda run: _succeeded(run, "served")).judge(run).judgement
        assert (served.verdict, served.reason.split(" is gone")[1:]) == (I, [""])
        assert Claim("other", lambda run: _succeeded(run, "other")).judge(run).judgement.verdict is C


def _succeeded(run: Run, name: str) -> None:
    assert getattr(run, name).succeeded


def test_a_node_that_is_lost_leaves_the_other_alone(api: ApiServer, tmp_path: Path) -> None:
    """Its kubelet cannot be reached any more: nothing is known of its acts, and its agent says nothing."""
    lab = Lab(api, (NODE, SECOND))
    before = api.snapshot()

    async def unreachable(command: Exec) -> None:
        if command.pod["spec"]["nodeName"] == SECOND:
            await command.fails("error dialing backend: dial tcp 10.0.2.15:10250: i/o timeout")
        else:
            await lab.run(command)

    def lose() -> None:
        lab.plays[""] = unreachable
        for one in list(api.running):
            if one.pod["spec"]["nodeName"] == SECOND:
                one.cut()

    lab.plays["> /tmp/other"] = playing(lose, lab.act)
    short = replace(PATIENT, sentinel=0.3, command=0.3, policy=0.3)
    with opened(lab, tmp_path, deadlines=short) as (live, _):
        told = judged(live)
        assert told[f"guard@{SECOND}"][1:3] == (I, I)
        assert told[f"guard@{NODE}"][1:] == WELL[1:]
        del lab.plays[""]
    assert api.snapshot() == before


def test_a_node_that_cannot_be_listened_to_any_more_leaves_the_other_alone(api: ApiServer, tmp_path: Path) -> None:
    """Its stream ended before the scenario, and its agent refuses another one: nothing is claimed there."""
    lab = Lab(api, (NODE, SECOND))
    before = api.snapshot()
    with opened(lab, tmp_path) as (live, site):
        agent = lab.agents()[SECOND]["metadata"]["name"]

        def refuse(asked: object) -> None:
            if f"/{agent} tetra getevents" in str(asked):
                raise Refusal(500, "InternalError", 'container "tetragon" is not running')

        api.faults = [refuse]
        for one in list(api.running):
            if one.pod["metadata"]["name"] == agent:
                api.within(cut(one))
        until("the end of the stream", lambda: site._streams[SECOND][0].runs, lambda runs: not runs, 10)
        told = judged(live)
        assert told[f"guard@{NODE}"] == WELL
        assert told[f"guard@{SECOND}"][0] is I
        assert 'container "tetragon" is not running' in notes(live, f"guard@{SECOND}")
        api.faults = []
    assert api.snapshot() == before


async def cut(command: Exec) -> None:
    command.cut()


# bad weather: the API server goes


def test_a_server_that_goes_in_the_middle_ends_nothing_but_the_scenario(api: ApiServer, tmp_path: Path) -> None:
    """What cannot be judged is inconclusive, and what is left behind is told with what removes it."""
    lab = Lab(api)
    before = api.snapshot()
    short = replace(PATIENT, sentinel=0.3, command=0.3, policy=0.3, workload=0.3, act=0.5)
    with opened(lab, tmp_path, deadlines=short) as (live, site):
        api.faults = [at("create tracingpolicies", api.down)]
        ((verdict, why),) = judged(live).values()
        assert verdict is I
        assert "The API server of made does not answer" in str(why)
        (left,) = site.close()
    assert left.endswith("To remove it: make clean-cluster CONTEXT=made YES=1")
    assert api.snapshot() != before


def test_a_server_that_comes_back_is_cleaned(api: ApiServer, tmp_path: Path) -> None:
    """A later scenario is judged as if nothing had been."""
    lab = Lab(api)
    before = api.snapshot()
    short = replace(PATIENT, sentinel=0.5, command=0.5, policy=0.5)
    with opened(lab, tmp_path, deadlines=short) as (live, _):
        api.faults = [at("create tracingpolicies", api.down)]
        ((verdict, _),) = judged(live).values()
        assert verdict is I
        api.faults = []
        api.up()
        again = Acts(**{one.name: one for one in ACTS}, more=command("true", "again"))
        assert judged(live, acts=again) == {"guard": WELL}
    assert api.snapshot() == before


# interrupts


STAGES = {
    "lacking": "command -v",
    "prepare": f"rm -f {GUARDED}",
    "first sentinel": "sentinel-start-0",
    "dry run": "create tracingpolicies.cilium.io / (dry run)",
    "creation": "create tracingpolicies.cilium.io /",
    "loading": "tracingpolicy list",
    "act": "> /tmp/other",
    "last sentinel": "sentinel-end",
    "metrics": "get pods/proxy",
    "agent's log": "get pods/log",
    "removal": "delete tracingpolicies",
}


# an interrupt may come while the library makes a socket, which goes with it
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("nodes", [(NODE,), (NODE, SECOND)])
@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupt_leaves_nothing(stage: str, nodes: tuple[str, ...], api: ApiServer, tmp_path: Path) -> None:
    """Wherever it comes: it passes through, and the cluster is as it was."""
    lab = Lab(api, nodes)
    before = api.snapshot()
    word, once = STAGES[stage], count()
    with opened(lab, tmp_path) as (live, _):
        if word.startswith(("create", "get", "delete")):
            api.faults = [at(word, interrupt)]
        else:
            lab.plays[word] = playing(lambda: interrupt() if next(once) == 0 else None, lab.run)
        with pytest.raises(KeyboardInterrupt):
            judged(live)
    assert api.snapshot() == before
    assert nothing_runs(api)


def test_what_was_observed_before_an_interrupt_is_kept(api: ApiServer, tmp_path: Path) -> None:
    """A recording of it can be written."""
    lab = Lab(api)
    acts = Acts(**{one.name: one for one in ACTS}, last=command("true", "last"))
    lab.plays["true last"] = playing(interrupt, lab.act)
    with opened(lab, tmp_path) as (live, _):
        with pytest.raises(KeyboardInterrupt):
            judged(live, acts=acts)
        live.recorder.write(tmp_path / "recording")
    kept = open_recording(tmp_path / "recording")
    assert [one.id for one in kept.acts("guard")][-2:] == ["other", "guarded"]
    assert b"sentinel-start" in (kept.in_scenario("guard", "events.jsonl") or b"")


def test_crds_are_as_they_were(api: ApiServer, tmp_path: Path) -> None:
    """The mock's own: a run on an existing agent never touches them."""
    lab = Lab(api)
    before = [dict(one) for one in api.of(CRD)]
    with opened(lab, tmp_path) as (live, _):
        judged(live)
    assert api.of(CRD) == before
