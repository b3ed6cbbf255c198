"""Damages to the answers that an act got, in a cluster that leaves addresses alone and in one that rewrites them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.worlds import acts_of, judged, manifest, recorded, scene_of
from tetraproof.policies.binding import fill
from tetraproof.proving.damage import Damage, Scene
from tetraproof.proving.of_answers import answers, damages, redirected
from tetraproof.recordings.recording import from_files, sealed
from tetraproof.targets.replay import Replay

SUITE, POLICY = "network.test_log_tcp_connection", "log-tcp-connection"
PROMISE = "test_the_answer_is_reported_too"
BRIDGE, SHIP = "10.0.0.1", scene_of(SUITE, POLICY).observed.bindings.values()["tiefighter.ip"]
TO_THE_NODE = "the answer goes to the act's own node"
KINDS = {
    "another pod answers",
    "the answer comes from elsewhere",
    "the answer dropped",
    "the answer goes elsewhere",
    "the answer goes to another pod",
    "the answer goes to another port",
    "the answer in part dropped",
}


def scene(files: Mapping[str, bytes]) -> Scene:
    observed = Replay(from_files("made", sealed(files))).observe(manifest(POLICY), {}, acts_of(SUITE), POLICY)
    return Scene(observed, files)


def masqueraded() -> dict[str, bytes]:
    """The recorded cluster, had it put the node's address in the place of the pod's."""
    there, files = scene(recorded()), dict(recorded())
    redirected(there, answers(there, "landing"), daddr=BRIDGE)(files)
    return files


def asked(files: Mapping[str, bytes], said: str) -> dict[str, bytes]:
    """The same, where deathstar was asked right after as whom it sees tiefighter."""
    path = f"scenarios/{POLICY}/acts.json"
    records = json.loads(files[path])
    at = next(at for at, one in enumerate(records) if one["id"] == "curl-deathstar")
    (look,) = (act for act in acts_of(SUITE) if act.name == "seen")
    argv = [fill(part, scene(files).observed.bindings.values()) for part in look.argv]
    records.insert(at + 1, {**records[at], "id": "seen", "argv": argv, "stdout": f"{said}\n"})
    return {**files, path: json.dumps(records).encode()}


WORLDS: dict[str, Mapping[str, bytes]] = {"as recorded": recorded(), "masqueraded": masqueraded()}


def word(files: Mapping[str, bytes]) -> str:
    """What becomes of the promise that the answer is reported."""
    (told,) = judged(SUITE, manifest(POLICY), POLICY, files, (PROMISE,))
    return told


@pytest.mark.parametrize("world", WORLDS)
def test_every_lie_about_the_answer_is_noticed(world: str) -> None:
    """Undamaged the promise conforms, and after no damage it does."""
    files = WORLDS[world]
    done: list[Damage] = list(damages(scene(files)))
    assert word(files) == "conforms"
    assert {one.kind for one in done} == KINDS
    assert [one.kind for one in done if word(one.to(files)) == "conforms"] == []
    assert all(one.answer for one in done)
    assert {one.act for one in done} == {"landing"}


def test_what_is_plainly_somebody_elses_is_a_violation() -> None:
    """An answer to another pod, or none, is refuted in either world; to an unknown address nobody can tell."""
    for files in WORLDS.values():
        told = {one.kind: word(one.to(files)) for one in damages(scene(files))}
        assert told["the answer goes to another pod"] == told["the answer dropped"] == "violates"
        assert told["the answer goes elsewhere"] == "inconclusive"


def test_where_deathstar_was_asked_an_answer_to_the_node_is_a_lie_too() -> None:
    """It says that it sees the pod, so nothing is rewritten; where it sees the node, that is the truth."""
    plain, rewritten = asked(recorded(), SHIP), asked(masqueraded(), BRIDGE)
    assert word(plain) == word(rewritten) == "conforms"
    told = {one.kind: word(one.to(plain)) for one in damages(scene(plain))}
    assert told.keys() - KINDS == {TO_THE_NODE}
    assert told[TO_THE_NODE] == "violates"
    assert "conforms" not in told.values()
    others = {one.kind: word(one.to(rewritten)) for one in damages(scene(rewritten))}
    assert others.keys() == KINDS
    assert "conforms" not in others.values()
    assert word(asked(masqueraded(), SHIP)) == "violates"
    assert word(asked(recorded(), BRIDGE)) == "inconclusive"


def test_an_act_without_a_connection_has_no_answer_to_damage() -> None:
    """Nor one that nobody answered."""
    assert not answers(scene(recorded()), "refused")
    assert not answers(scene(recorded()), "unreachable")
