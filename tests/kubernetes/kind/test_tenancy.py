"""A kind cluster: ours is known and given back, half made or whole; the user's is never touched."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.api_server import ApiServer, interrupt
from tests.clusters import PATIENT, hurried
from tests.kinds import LONG, NAME, Kinds
from tetraproof.errors import TetraproofError, UsageError
from tetraproof.kubernetes.kind.command import lives
from tetraproof.kubernetes.kind.engine import PROVIDER, find
from tetraproof.kubernetes.kind.tenancy import Tenancy, Wanted
from tetraproof.kubernetes.note import Note
from tetraproof.machines import tool
from tetraproof.pacing.account import LOADING_IMAGES, MAKING, Account

CONFIG = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n"


@pytest.fixture
def kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kinds]:
    hurried(monkeypatch)
    with ApiServer() as api:
        made = Kinds(api, tmp_path)
        for name in ("PATH", "XDG_STATE_HOME"):
            monkeypatch.setenv(name, made.environment()[name])
        monkeypatch.delenv(PROVIDER, raising=False)
        yield made
        made.close()


@pytest.fixture
def told() -> list[str]:
    return []


def wanted(folder: Path, **more: object) -> Wanted:
    config = folder / "kind.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    return Wanted(NAME, config, **more)  # type: ignore[arg-type]


def tenancy(folder: Path, told: list[str], **more: object) -> Tenancy:
    deadlines = replace(PATIENT, command=1.0, nodes=1.0)
    tools = tool.find("kind"), tool.find("kubectl")
    return Tenancy(wanted(folder, **more), *tools, find(), folder / "live", deadlines, told.append, run="a-run")


def noted(kinds: Kinds) -> dict[str, object]:
    (path,) = (kinds.folder / "state/tetraproof/kind").glob("*.json")
    told: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return told


def killed(one: Tenancy) -> None:
    """As the kernel does when a run is killed: it lets go of the note, and nothing else happens."""
    assert one._note
    one._note.release()


def refused(one: Tenancy) -> UsageError:
    with pytest.raises(UsageError) as told:
        one.open()
    assert one.close() == ""
    return told.value


# made


def test_it_is_made_and_deleted(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """Nothing of it is left, neither noted nor there; its time is counted apart."""
    one = tenancy(tmp_path, told)
    one.account = Account()
    one.open()
    assert one.ours
    assert kinds.clusters == {NAME}
    assert noted(kinds)["state"] == "made"
    assert len(noted(kinds)["containers"]) == 2  # type: ignore[arg-type]
    assert "kind-made" in one.kubeconfig.read_text(encoding="utf-8")
    assert one.account.spent.keys() == {MAKING, LOADING_IMAGES}
    assert one.close() == ""
    assert kinds.clusters == set()
    assert not list((kinds.folder / "state/tetraproof/kind").iterdir())
    assert told == [
        "making the kind cluster made by docker 28.5.2",
        "kind: Ensuring node image (kindest/node:v1.36.2)",
        "kind: Preparing nodes",
        "deleting the kind cluster made",
    ]


def test_the_engine_that_answered_is_told_to_every_command(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """Docker's client without its daemon would be kind's own choice."""
    (kinds.bin / "docker").rename(kinds.bin / "podman")
    one = tenancy(tmp_path, told)
    one.open()
    one.close()
    asked = [line for line in kinds.asked if not line.startswith("version")]
    assert len(asked) > 4
    assert all(line.endswith("[podman]") for line in asked)
    assert one.way_out == f"{PROVIDER}=podman kind delete cluster --name made"


def test_what_kind_cannot_make_is_told_in_its_words_and_deleted(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """Its nodes are there until their logs are kept."""
    kinds.set("fails", "ERROR: failed to create cluster: failed to init node with kubeadm\nkubelet is not healthy\n")
    one = tenancy(tmp_path, told)
    with pytest.raises(UsageError, match="kind could not make the cluster made: exit 1") as failed:
        one.open()
    assert failed.value.causes[0] == "ERROR: failed to create cluster: failed to init node with kubeadm"
    assert failed.value.causes[-1] == "kubelet is not healthy"
    assert kinds.clusters == {NAME}
    assert one.export_logs(tmp_path / "logs") == ""
    assert (tmp_path / "logs/kubelet.log").exists()
    assert one.close() == ""
    assert kinds.clusters == set()


@pytest.mark.parametrize("late", [False, True], ids=["all there", "one still to come"])
def test_an_interrupt_while_it_is_made_deletes_it(late: bool, kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """With every node that the engine was asked for by then: seen live, two came after the deletion."""
    kinds.set("prepares", LONG)
    if late:
        kinds.set("late")
    one = tenancy(tmp_path, told)
    one.deadlines = replace(PATIENT, command=1.0)

    def tell(line: str) -> None:
        told.append(line)
        if "Preparing nodes" in line:
            interrupt()

    one.tell = tell
    with pytest.raises(KeyboardInterrupt):
        one.open()
    assert one.close() == ""
    assert kinds.clusters == set()
    # nobody is there any more who could make one
    assert not any(lives(group) for group in one._cut)


@pytest.mark.parametrize("why", ["stays", "refuses"])
def test_what_cannot_be_deleted_is_named_with_the_command(
    why: str, kinds: Kinds, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By kind's exit code, and by the containers that the engine has; the next run removes it."""
    one = tenancy(tmp_path, told)
    one.open()
    if why == "stays":
        kinds.set("stays")
    else:
        # kind says that all is well, and it is not
        (kinds.bin / "kind").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    left = one.close()
    assert left.startswith("The kind cluster made could not be deleted, 2 of its containers are there")
    assert left.endswith(": kind delete cluster --name made")
    assert ("permission denied" in left) == (why == "stays")
    assert noted(kinds)["state"] == "made"


def test_a_node_that_does_not_come_is_named(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """With what it says of itself; the others are no news."""
    node = kinds.api.objects["v1/Node", "", f"{NAME}-worker"]
    node["status"]["conditions"] = [{"type": "Ready", "status": "False", "message": "cni plugin not initialized"}]
    one = tenancy(tmp_path, told)
    with pytest.raises(TetraproofError) as late:
        one.open()
    assert "every node of the kind cluster made was awaited" in late.value.sentence
    assert "made-worker: cni plugin not initialized" in late.value.sentence
    assert "control-plane" not in late.value.sentence
    assert one.close() == ""
    del kinds.api.objects["v1/Node", "", f"{NAME}-worker"]
    again = tenancy(tmp_path, told)
    with pytest.raises(TetraproofError, match="made-worker: has not joined"):
        again.open()
    again.close()


def test_images_are_loaded_and_one_that_cannot_be_is_told(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """Each archive, in kind's words."""
    archives = [tmp_path / "a.tar", tmp_path / "b.tar"]
    one = tenancy(tmp_path, told, archives=archives)
    one.open()
    assert f"load image-archive --name made {archives[1]} []" in kinds.asked
    assert one.close() == ""
    kinds.set("unloadable", "ERROR: no such file\n")
    with pytest.raises(UsageError, match=r"kind does not load .*a\.tar\.") as failed:
        tenancy(tmp_path, told, archives=archives).open()
    assert failed.value.causes == ("ERROR: no such file",)


def test_a_kind_that_does_not_list_is_told_in_its_words(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """In one sentence, and nothing is made."""
    kinds.set("refuses", "ERROR: failed to list clusters: command docker ps failed\n")
    error = refused(tenancy(tmp_path, told))
    assert error.sentence == "kind does not list its clusters."
    assert error.causes == ("ERROR: failed to list clusters: command docker ps failed",)


def test_a_cluster_that_nothing_is_to_be_installed_in_is_not_made(
    kinds: Kinds, tmp_path: Path, told: list[str]
) -> None:
    """There could be no Tetragon in it."""
    error = refused(tenancy(tmp_path, told, installs=False))
    assert "there is no kind cluster made" in error.sentence
    assert not [line for line in kinds.asked if line.startswith("create")]


# left by a run that was killed


@pytest.mark.parametrize("state", ["half made", "whole"])
def test_what_a_killed_run_left_is_made_anew(state: str, kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """It is never adopted, and that is said."""
    if state == "half made":
        kinds.set("fails", "ERROR: killed\n")
    one = tenancy(tmp_path, told)
    if state == "half made":
        with pytest.raises(UsageError):
            one.open()
    else:
        one.open()
    killed(one)
    kinds.unset("fails")
    before = (kinds.folder / "clusters" / NAME).read_text(encoding="utf-8")
    again = tenancy(tmp_path, told)
    again.open()
    assert "a run that was killed left the kind cluster made; deleting it, and making it anew" in told
    assert (kinds.folder / "clusters" / NAME).read_text(encoding="utf-8") != before
    assert again.ours
    assert again.close() == ""
    assert kinds.clusters == set()


def test_what_the_engine_made_after_the_run_was_killed_is_ours(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """Nobody could note its containers any more; the mark on them was noted before."""
    one = tenancy(tmp_path, told)
    one.open()
    assert one._note
    one._note.add(containers=[], state="making")
    killed(one)
    again = tenancy(tmp_path, told)
    again.open()
    assert "a run that was killed left the kind cluster made; deleting it, and making it anew" in told
    assert again.close() == ""
    assert kinds.clusters == set()


def test_where_nothing_can_be_marked_containers_are_known_by_their_ids(
    kinds: Kinds, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system on which nothing is executed; what is neither marked nor noted is nobody's of ours."""
    monkeypatch.setattr("tetraproof.kubernetes.kind.tenancy.secrets.token_hex", lambda _: "")
    one = tenancy(tmp_path, told)
    one.open()
    killed(one)
    again = tenancy(tmp_path, told)
    again.open()
    assert "a run that was killed left the kind cluster made; deleting it, and making it anew" in told
    assert again._note
    again._note.add(containers=[])
    killed(again)
    third = tenancy(tmp_path, told)
    third.open()
    assert not third.ours
    assert third.close() == ""
    assert kinds.clusters == {NAME}


def test_what_a_killed_run_left_and_cannot_be_deleted_ends_it(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """With the command."""
    one = tenancy(tmp_path, told)
    one.open()
    killed(one)
    kinds.set("stays")
    with pytest.raises(UsageError, match=r"could not be deleted, 2 of its containers .*: kind delete cluster"):
        tenancy(tmp_path, told).open()


def test_one_of_the_users_own_made_since_is_not_taken_for_ours(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """A killed run's was deleted by hand, and another one made: its containers are others."""
    one = tenancy(tmp_path, told)
    one.open()
    killed(one)
    (kinds.folder / "clusters" / NAME).unlink()
    kinds.make()
    again = tenancy(tmp_path, told)
    again.open()
    assert not again.ours
    assert again.close() == ""
    assert kinds.clusters == {NAME}


def test_a_run_that_lives_is_not_disturbed(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """Neither in the making nor later."""
    one = tenancy(tmp_path, told)
    one.open()
    with pytest.raises(UsageError, match="Another run uses the kind cluster made: process"):
        tenancy(tmp_path, told).open()
    assert kinds.clusters == {NAME}
    assert one.close() == ""


# the user's


def test_the_users_is_used_and_stays(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """By its own kubeconfig; NODE_IMAGE= is said to mean nothing."""
    kinds.make()
    one = tenancy(tmp_path, told, image="kindest/node:v1.35.0")
    one.open()
    assert not one.ours
    assert one.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert one.close() == ""
    assert kinds.clusters == {NAME}
    assert not [line for line in kinds.asked if line.startswith("delete")]
    assert told == [
        "using the kind cluster made that is there; no run made it, so it stays",
        "NODE_IMAGE= is for a cluster that is made, and means nothing here",
    ]


@pytest.mark.parametrize("how", ["stopped", "silent", "unready"])
def test_the_users_that_is_of_no_use_is_left_alone(how: str, kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """One sentence with the ways out: its containers may be stopped, its server silent, its nodes not ready."""
    kinds.make()
    if how == "stopped":
        kinds.set("stopped")
    elif how == "silent":
        kinds.api.down()
    else:
        kinds.api.objects["v1/Node", "", f"{NAME}-worker"]["status"]["conditions"] = []
    error = refused(tenancy(tmp_path, told))
    assert error.sentence.startswith("The kind cluster made is there, and is of no use: ")
    assert {
        "stopped": "kind has no kubeconfig of it",
        "silent": "does not answer",
        "unready": "made-worker: says nothing of itself yet",
    }[how] in error.sentence
    assert "\n" not in error.sentence
    assert "kind delete cluster --name made" in error.remedy
    assert "CLUSTER_NAME=" in error.remedy
    assert kinds.clusters == {NAME}


# kept


def keep(tmp_path: Path, told: list[str], **more: object) -> None:
    one = tenancy(tmp_path, told, kept=True, **more)
    one.open()
    assert one.close() == ""


def test_one_that_is_kept_is_told_how_to_reach(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """By a kubeconfig that stays, of the user's alone; with the command that deletes it."""
    keep(tmp_path, told)
    kubeconfig = kinds.folder / "state/tetraproof/kind/docker-made.kubeconfig"
    assert "kind-made" in kubeconfig.read_text(encoding="utf-8")
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    assert f"  to look into it: kubectl --kubeconfig {kubeconfig} --context kind-made get pods -A" in told
    assert "  to delete it: kind delete cluster --name made" in told
    assert noted(kinds)["state"] == "kept"


@pytest.mark.parametrize("again", [True, False])
def test_one_that_was_kept_is_used_and_stays(again: bool, kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """Whether the next run is told to keep it or not."""
    keep(tmp_path, told)
    one = tenancy(tmp_path, told, kept=again, installs=False)
    one.open()
    assert one.kept
    assert noted(kinds)["state"] == "made"
    assert one.close() == ""
    assert noted(kinds)["state"] == "kept"
    assert kinds.clusters == {NAME}
    assert sum(line.startswith("create cluster") for line in kinds.asked) == 1


@pytest.mark.parametrize("how", ["stopped", "unready"])
def test_one_that_was_kept_and_is_of_no_use_is_made_anew(
    how: str, kinds: Kinds, tmp_path: Path, told: list[str]
) -> None:
    """And that is said."""
    keep(tmp_path, told)
    node = kinds.api.objects["v1/Node", "", f"{NAME}-worker"]
    before = node["status"]["conditions"]
    if how == "stopped":
        kinds.set("stopped")
    else:
        node["status"]["conditions"] = []
    one = tenancy(tmp_path, told)

    def tell(line: str) -> None:
        told.append(line)
        if "making it anew" in line:
            kinds.unset("stopped")
            node["status"]["conditions"] = before

    one.tell = tell
    one.open()
    assert any(line.startswith("the kind cluster made that was kept is of no use: ") for line in told)
    assert not one.kept
    assert one.close() == ""
    assert kinds.clusters == set()


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("kindest/node:v1.35.0", "", "was made with NODE_IMAGE=kindest/node:v1.35.0."),
        ("", "kindest/node:v1.35.0", "was made without NODE_IMAGE=."),
    ],
)
@pytest.mark.usefixtures("kinds")
def test_one_that_was_kept_is_not_taken_for_another(
    before: str, after: str, sentence: str, tmp_path: Path, told: list[str]
) -> None:
    """What is asked for is what is judged."""
    keep(tmp_path, told, image=before)
    error = refused(tenancy(tmp_path, told, image=after))
    assert error.sentence.endswith(sentence)
    assert "kind delete cluster --name made" in error.remedy
    again = tenancy(tmp_path, told, image=before)
    again.open()
    assert again.kept


def test_one_by_another_configuration_is_not_taken_for_it(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """A kind with more nodes is another cluster."""
    keep(tmp_path, told)
    one = tenancy(tmp_path, told)
    one.wanted.config.write_text(f"{CONFIG}nodes: [{{role: control-plane}}]\n", encoding="utf-8")
    assert refused(one).sentence == "The kind cluster made, which was kept, was made by another KIND_CONFIG=."


def test_one_that_was_kept_and_used_by_a_killed_run_is_made_anew(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """Something of that run is in it."""
    keep(tmp_path, told)
    one = tenancy(tmp_path, told)
    one.open()
    killed(one)
    again = tenancy(tmp_path, told)
    again.open()
    assert "a run that was killed left the kind cluster made; deleting it, and making it anew" in told
    again.close()


def test_one_that_something_is_left_in_is_not_called_kept(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """It is there to be looked into, and the next run makes it anew."""
    one = tenancy(tmp_path, told, kept=True)
    one.open()
    assert one.close(whole=False) == ""
    assert kinds.clusters == {NAME}
    assert noted(kinds)["state"] == "made"
    assert "  the next run makes it anew, as something of this one is left in it" in told


def test_one_that_was_kept_and_deleted_by_hand_is_forgotten(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """With its kubeconfig."""
    keep(tmp_path, told)
    (kinds.folder / "clusters" / NAME).unlink()
    one = tenancy(tmp_path, told)
    one.open()
    one.close()
    assert not list((kinds.folder / "state/tetraproof/kind").iterdir())


# what is wrong with what is wanted


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "cannot be read: "),
        ("a: [", "cannot be read: "),
        ("kind: Pod\n", "is no configuration of kind's: it is of no kind Cluster."),
        ("", "is no configuration of kind's"),
        ("[" * 5000, "cannot be read"),
    ],
)
def test_a_configuration_that_is_none_is_told(text: str | None, sentence: str, tmp_path: Path) -> None:
    """By its file, in one line."""
    given = wanted(tmp_path)
    given.check()
    given.config.unlink()
    if text is not None:
        given.config.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        given.check()
    assert str(given.config) in refused.value.sentence
    assert sentence in refused.value.sentence
    assert "\n" not in refused.value.sentence


def test_archives_that_are_none_are_told(tmp_path: Path) -> None:
    """Each by its name."""
    good, bad = tmp_path / "good.tar", tmp_path / "bad.tar"
    with tarfile.open(good, "w") as archive:
        archive.addfile(tarfile.TarInfo("manifest.json"), io.BytesIO())
    wanted(tmp_path, archives=[good]).check()
    with pytest.raises(UsageError, match=r"IMAGES=.*bad\.tar cannot be read: No such file"):
        wanted(tmp_path, archives=[good, bad]).check()
    bad.write_text("no archive", encoding="utf-8")
    with pytest.raises(UsageError, match=r"IMAGES=.*bad\.tar is no archive of images"):
        wanted(tmp_path, archives=[good, bad]).check()


def test_an_engine_that_says_nothing_of_a_noted_cluster_ends_it(kinds: Kinds, tmp_path: Path, told: list[str]) -> None:
    """Whose it is cannot be known then."""
    one = tenancy(tmp_path, told)
    one.open()
    killed(one)
    again = tenancy(tmp_path, told)
    (kinds.bin / "docker").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    assert "does not say which containers the kind cluster made has" in refused(again).sentence
    assert kinds.clusters == {NAME}
    Note("kind", "docker-made", "it").release()
