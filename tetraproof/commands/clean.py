"""`tetraproof clean-cluster`: what killed runs left on a cluster."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tetraproof.deadline import Deadlines
from tetraproof.kubernetes import kubeconfig, leftovers
from tetraproof.kubernetes.cluster import Cluster
from tetraproof.kubernetes.helm import Helm
from tetraproof.machines import tool

ABOUT = "list what killed runs left on a cluster, and remove it if told"


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("--context", required=True, help="the context of the kubeconfig")
    parser.add_argument("--kubeconfig", default="", help="default: KUBECONFIG, then ~/.kube/config")
    parser.add_argument("--helm", default="", help="the helm to uninstall with (default: that on PATH)")
    parser.add_argument("--yes", action="store_true", help="remove what is listed")


def run(given: argparse.Namespace) -> int:
    """List it; with `--yes` remove it."""
    with TemporaryDirectory() as folder:
        own = Path(folder, "kubeconfig")
        kubeconfig.copy(given.context, own, given.kubeconfig)
        cluster = Cluster(own, given.context, Deadlines())
        found = leftovers.find(cluster)
        for one in found:
            print(one)
        if found and given.yes:

            def uninstall() -> None:
                helm = tool.find("helm", given.helm)
                Helm(helm, own, given.context, Path(folder, "helm"), Deadlines().rollout).uninstall()

            leftovers.remove(cluster, found, Deadlines(), lambda line: print(line, file=sys.stderr), uninstall)
    told = "removed" if given.yes else "to remove them: make clean-cluster YES=1, when no run is going on"
    print(f"{len(found)} left on the cluster of {given.context}; {told}" if found else "nothing is left on the cluster")
    return 0
