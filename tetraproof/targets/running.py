"""The `cluster` and `kind` targets: a live target on Kubernetes, whose installation may be changed where it is ours."""

from __future__ import annotations

from tetraproof.kubernetes import ranges
from tetraproof.kubernetes.preparation import Plan
from tetraproof.observing.gap import Continuity
from tetraproof.pacing.account import SETTING_UP
from tetraproof.policies.policy import Policy
from tetraproof.recordings.discretion import neutral
from tetraproof.recordings.recorder import Recorder
from tetraproof.targets import Unanswerable
from tetraproof.targets.alteration import CHANGES, alter
from tetraproof.targets.live import Live
from tetraproof.targets.pods import Kubernetes
from tetraproof.verdict import Verdict


class OnCluster(Live):
    """A live target on a cluster."""

    site: Kubernetes

    def _changed(self, change: str, policy: Policy) -> tuple[Continuity, str]:
        """What became of the policy meanwhile, and the first place that it was seen on. Raises `Unanswerable`."""
        site, known = self.site, CHANGES.get(change)
        if known is None:
            raise Unanswerable(f"{change} is no change that is known", Verdict.UNSUPPORTED)
        if site.helm is None:
            raise Unanswerable("the installation is not ours to change (AGENT=install)", Verdict.UNSUPPORTED)
        if known.needs_chart and site.newer is None:
            raise Unanswerable("nothing is named to upgrade to (UPGRADE=)", Verdict.UNSUPPORTED)
        with self.account.spending("changing the installation"):
            return alter(site, change, policy, self._deadlines, self._tell), site.places[0]


def open_cluster(plan: Plan) -> tuple[OnCluster, Kubernetes]:
    """A live target on a cluster that is set up; the caller closes the site. Raises what keeps it from that."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    site, account = Kubernetes(plan), plan.account
    try:
        with account.spending(SETTING_UP):
            site.open()
            index, files = site.index()
        recorder = Recorder(plan.run_id, index, files, neutral.of_this_machine({neutral.RUN: plan.folder}))
    except BaseException as error:
        with plan.patient():
            for one in site.close():
                plan.tell(f"left behind: {one}")
                error.add_note(one)
        raise
    how = (
        "every policy as it is written, on the whole cluster"
        if plan.cluster_wide
        else "every policy confined to the run's own pods"
    )
    lines = [
        f"judging {index.cell.title}, live on {plan.context}",
        f"acting on {', '.join(site.places)}, in {', '.join(site.workspace.namespaces.values())}; {how}",
        f"the pods' range is {site.ranges[ranges.PODS]}, the services' {site.ranges[ranges.SERVICES]}",
    ]
    if plan.tools:
        lines.append(f"tools: {', '.join(f'{tool.name} {tool.version}' for tool in plan.tools)}")
    return OnCluster(
        plan.kind, site, recorder, plan.deadlines, introduction=lines, tell=plan.tell, account=account
    ), site
