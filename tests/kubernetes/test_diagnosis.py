"""What is wrong with an installation, in one line each: recorded objects, changed in one place."""

import copy
import json
from pathlib import Path

import pytest

from tetraproof.kubernetes.diagnosis import Answer, Survey, diagnose

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "recordings/k8s-1.36.2_tetragon-1.7.0_debian-6.12.117/environment"


def recorded(name):
    told = json.loads((ENVIRONMENT / name).read_text())
    return told["items"][0] if "items" in told else told


DAEMONSET, NODE, CONFIGMAP = recorded("daemonset.json"), recorded("node.json"), recorded("configmap.json")
RUNNING = {"running": {"startedAt": "2026-11-23T07:31:16Z"}}
IMAGE = "quay.io/cilium/tetragon:v1.7.0"


def a_node(name="tetra-node", taints=(), **labels):
    made = copy.deepcopy(NODE)
    made["metadata"]["name"] = name
    made["metadata"]["labels"] |= {"kubernetes.io/hostname": name, **labels}
    made["spec"]["taints"] = list(taints)
    return made


def container(name="tetragon", state=RUNNING, last=None, restarts=0, image=IMAGE):
    return {"name": name, "image": image, "restartCount": restarts, "state": state, "lastState": last or {}}


def a_pod(node="tetra-node", *containers, phase="Running", image=IMAGE, **metadata):
    """An agent's pod, of the form that the API server gave in the recorded cluster."""
    return {
        "metadata": {
            "name": f"tetragon-{node}",
            "ownerReferences": [
                {"kind": "DaemonSet", "name": "tetragon", "uid": DAEMONSET["metadata"]["uid"], "controller": True}
            ],
            **metadata,
        },
        "spec": {"nodeName": node, "containers": [{"name": "tetragon", "image": image}]},
        "status": {
            "phase": phase,
            "containerStatuses": list(containers) or [container("export-stdout"), container(image=image)],
        },
    }


def a_daemonset(**changed):
    """`nodeSelector`, `tolerations`, `affinity` of its pods; `desired` and `updated` of its status."""
    made = copy.deepcopy(DAEMONSET)
    for name in ("desired", "updated"):
        made["status"][f"{name}NumberScheduled"] = changed.pop(name, 1)
    made["metadata"]["generation"] += changed.pop("generations_ahead", 0)
    made["spec"]["template"]["spec"] |= changed
    return made


def survey(**changed):
    """An installation in which all is well, changed."""
    well = {
        "daemonset": a_daemonset(),
        "nodes": [a_node()],
        "pods": [a_pod()],
        "configmap": CONFIGMAP,
        "answers": {"tetra-node": Answer(running=True, said="Health Status: running", version="1.7.0")},
        "logs": {},
    }
    return Survey(**{**well, **changed})


def lines(**changed):
    return [str(one) for one in diagnose(survey(**changed))]


def test_where_all_is_well_nothing_is_said():
    assert lines() == []
    assert lines(answers=None, configmap=None, logs=None) == []


TAINT = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("daemonset", "node", "why"),
    [
        (
            a_daemonset(tolerations=[], desired=0, updated=0),
            a_node("n2", [TAINT]),
            "the node's taint dedicated=gpu:NoSchedule is not tolerated",
        ),
        (
            a_daemonset(tolerations=[{"key": "dedicated", "value": "cpu"}]),
            a_node("n2", [TAINT]),
            "the node's taint dedicated=gpu:NoSchedule is not tolerated",
        ),
        (
            a_daemonset(tolerations=[{"operator": "Exists", "effect": "NoExecute"}]),
            a_node("n2", [TAINT]),
            "the node's taint dedicated=gpu:NoSchedule is not tolerated",
        ),
        (
            a_daemonset(nodeSelector={"kubernetes.io/os": "windows"}),
            a_node("n2"),
            "the DaemonSet selects nodes with kubernetes.io/os=windows, and the node has 'linux'",
        ),
        (
            a_daemonset(nodeSelector={"pool": "a"}),
            a_node("n2"),
            "the DaemonSet selects nodes with pool=a, and the node does not have it",
        ),
        (
            a_daemonset(
                affinity={
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["a", "b"]}]}
                            ]
                        }
                    }
                }
            ),
            a_node("n2", pool="c"),
            "the DaemonSet's affinity wants pool In (a, b), which the node's labels do not fulfil",
        ),
        (a_daemonset(desired=2), a_node("n2"), "nothing keeps it off, and the DaemonSet wants 2 agents"),
    ],
)
def test_an_agent_that_is_missing_on_one_node(daemonset, node, why):
    told = [line for line in lines(daemonset=daemonset, nodes=[a_node(), node]) if line.startswith("No agent")]
    assert len(told) == 1
    assert told[0].startswith(f"No agent is on n2: {why}")


@pytest.mark.parametrize(
    ("taint", "spec"),
    [
        (TAINT, {"tolerations": [{"operator": "Exists"}]}),
        (TAINT, {"tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}]}),
        (TAINT, {"tolerations": [{"key": "dedicated", "operator": "Equal", "value": "gpu"}]}),
        ({**TAINT, "effect": "PreferNoSchedule"}, {"tolerations": []}),
        ({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, {"tolerations": []}),
        ({"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}, {"tolerations": []}),
    ],
)
def test_a_taint_that_keeps_nothing_off_is_not_blamed(taint, spec):
    (line,) = lines(daemonset=a_daemonset(**spec), nodes=[a_node("n2", [taint])], pods=[])
    assert "nothing keeps it off" in line


def test_a_taint_keeps_off_who_is_not_on_the_host_s_network():
    taint = {"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}
    (line,) = lines(daemonset=a_daemonset(tolerations=[], hostNetwork=False), nodes=[a_node("n2", [taint])], pods=[])
    assert "node.kubernetes.io/network-unavailable:NoSchedule is not tolerated" in line


def test_an_agent_that_is_being_ended_is_missing_for_the_moment():
    (line,) = lines(pods=[a_pod(deletionTimestamp="2026-11-23T07:13:14Z")])
    assert line == "No agent is on tetra-node: tetragon-tetra-node is being ended, and no other has come yet."


def test_a_pod_of_another_daemonset_is_no_agent():
    other = a_pod()
    other["metadata"]["ownerReferences"][0]["name"] = "node-exporter"
    assert [line for line in lines(pods=[other]) if line.startswith("No agent")]
    older = a_pod()
    older["metadata"]["ownerReferences"][0]["uid"] = "of-another-life"
    assert [line for line in lines(pods=[older]) if line.startswith("No agent")]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "nothing came back"),
        ({"tetra-node": Answer(running=False)}, "nothing came back"),
        (
            {"tetra-node": Answer(running=False, said="dial: connection refused\n")},
            "it said 'dial: connection refused'",
        ),
    ],
)
def test_an_agent_that_is_up_and_does_not_answer(answers, said):
    assert lines(answers=answers) == [f"The agent on tetra-node is up and does not answer: {said}."]


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"])
def test_an_image_that_is_not_pulled(reason):
    message = 'Back-off pulling image "quay.io/cilium/tetragon:v9": not found'
    waiting = container(image="quay.io/cilium/tetragon:v9", state={"waiting": {"reason": reason, "message": message}})
    pod = a_pod("tetra-node", container("export-stdout"), waiting, phase="Pending")
    assert lines(pods=[pod], answers={}) == [
        f"The image quay.io/cilium/tetragon:v9 is not pulled on tetra-node: {message}."
    ]


def test_an_image_of_a_container_that_runs_first_is_told_too():
    pod = a_pod("tetra-node", container(state={"waiting": {"reason": "PodInitializing"}}), phase="Pending")
    pod["status"]["initContainerStatuses"] = [
        container("oci-hook", {"waiting": {"reason": "ErrImagePull"}}, image="quay.io/cilium/hook:1")
    ]
    assert lines(pods=[pod]) == ["The image quay.io/cilium/hook:1 is not pulled on tetra-node: ErrImagePull."]


LOOPING = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}}


@pytest.mark.parametrize(
    ("logs", "message", "words"),
    [
        (
            {"tetra-node": "level=info starting\nlevel=fatal msg=BTF not found\n\n"},
            "",
            "its last words: level=fatal msg=BTF not found",
        ),
        ({}, "panic: no bpffs\n", "its last words: panic: no bpffs"),
        ({}, "", "it left no words"),
    ],
)
def test_an_agent_that_keeps_crashing_with_its_last_words(logs, message, words):
    last = {"terminated": {"exitCode": 1, "reason": "Error", "message": message}}
    pod = a_pod("tetra-node", container("export-stdout"), container(state=LOOPING, last=last, restarts=5))
    assert lines(pods=[pod], logs=logs, answers={}) == [
        f"The container tetragon keeps ending on tetra-node (5 restarts, exit 1, Error): {words}."
    ]


def test_the_agent_s_words_are_not_the_exporter_s():
    pod = a_pod("tetra-node", container("export-stdout", {"terminated": {"exitCode": 2}}, restarts=1), container())
    (line,) = lines(pods=[pod], logs={"tetra-node": "the agent's own log"})
    assert line == "The container export-stdout keeps ending on tetra-node (1 restart, exit 2): it left no words."


def test_an_agent_that_cannot_be_scheduled():
    pod = a_pod("", container(state={}), phase="Pending")
    pod["spec"]["affinity"] = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["tetra-node"]}]}
                ]
            }
        }
    }
    pod["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes: Insufficient cpu."}],
    }
    assert lines(pods=[pod], answers={})[0] == (
        "The agent on tetra-node has not started: it is not scheduled: 0/1 nodes: Insufficient cpu."
    )


def test_an_agent_that_is_still_being_made():
    state = {"waiting": {"reason": "ContainerCreating"}}
    pod = a_pod("tetra-node", container("export-stdout", state), container(state=state), phase="Pending")
    assert lines(pods=[pod], answers={})[0] == "The agent on tetra-node has not started: ContainerCreating."


def edited(time, manager="kubectl-edit", field="f:data"):
    made = copy.deepcopy(CONFIGMAP)
    made["metadata"]["managedFields"] = [
        {"manager": "helm", "time": "2026-11-23T06:12:05Z", "fieldsV1": {"f:data": {}}},
        {"manager": manager, "time": time, "fieldsV1": {field: {}}},
    ]
    return made


def test_a_configmap_that_was_edited_and_nothing_restarted():
    """The agent runs since 07:31:16."""
    (line,) = lines(configmap=edited("2026-11-23T08:00:00Z"))
    assert line == (
        "tetragon-config was edited by kubectl-edit at 08:00:00, and the agent on tetra-node runs since 07:31:16: "
        "it has the settings from before until it is restarted."
    )


@pytest.mark.parametrize(
    "configmap",
    [
        edited("2026-11-23T07:31:15Z"),
        edited("2026-11-23T07:31:16Z"),
        edited("2026-11-23T08:00:00Z", field="f:metadata"),
        CONFIGMAP,
        None,
    ],
)
def test_a_configmap_that_was_not_edited_since_is_not_blamed(configmap):
    """Nor one of the very second: it may have been either way; nor one whose history nobody asked for."""
    assert lines(configmap=configmap) == []


def test_versions_that_differ_in_the_middle_of_a_rollout():
    nodes = [a_node(name) for name in ("n1", "n2", "n3")]
    answers = {name: Answer(running=True, version=version) for name, version in (("n1", "v1.7.0"), ("n2", "1.4.1"))}
    answers["n3"] = Answer(running=True)  # it did not say: its image does
    told = lines(
        daemonset=a_daemonset(desired=3, updated=2),
        nodes=nodes,
        pods=[a_pod(name, image=IMAGE) for name in ("n1", "n2", "n3")],
        answers=answers,
    )
    assert told == [
        "The agents are of different versions, as in the middle of a rollout: 1.4.1 on n2, 1.7.0 on n1 and n3.",
        "A rollout is under way: 2 of 3 agents are of the newest kind.",
    ]


@pytest.mark.parametrize(
    ("image", "versions"),
    [
        ("quay.io/cilium/tetragon:v1.4.1@sha256:abc", ["1.4.1 on n2"]),
        ("localhost:5000/tetragon:v1.7.0", []),
        ("localhost:5000/tetragon@sha256:abc", []),
    ],
)
def test_an_image_tells_the_version_where_its_tag_does(image, versions):
    told = lines(nodes=[a_node("n1"), a_node("n2")], pods=[a_pod("n1"), a_pod("n2", image=image)], answers=None)
    assert [version for version in versions if version in told[0]] == versions
    assert bool(told) == bool(versions)


@pytest.mark.parametrize(
    ("daemonset", "line"),
    [
        (a_daemonset(generations_ahead=1), "The DaemonSet was changed, and its controller has not taken that up yet."),
        (a_daemonset(desired=2, updated=1), "A rollout is under way: 1 of 2 agents are of the newest kind."),
        (a_daemonset(desired=0, updated=0), "The DaemonSet wants no agent on any node."),
    ],
)
def test_a_rollout_that_is_not_done(daemonset, line):
    """`ready == desired` holds at 0 == 0 too."""
    assert lines(daemonset=daemonset) == [line]


def test_each_trouble_has_its_kind_and_its_node():
    pod = a_pod("tetra-node", container(state=LOOPING, restarts=2))
    found = diagnose(survey(pods=[pod], nodes=[a_node(), a_node("n2")], daemonset=a_daemonset(desired=2, updated=1)))
    assert [(one.kind, one.node) for one in found] == [("crashing", "tetra-node"), ("missing", "n2"), ("rollout", "")]


def test_what_strangers_wrote_cannot_steer_a_terminal():
    last = {"terminated": {"exitCode": 1, "message": "\x1b[31mred"}}
    pod = a_pod("tetra-node", container(state=LOOPING, last=last))
    (line,) = lines(pods=[pod])
    assert "\x1b" not in line
