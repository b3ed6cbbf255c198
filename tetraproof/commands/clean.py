"""`tetraproof clean-cluster`: what killed runs left on a cluster, and of kubeconfigs here."""

from __future__ import annotations

import argparse
import shlex
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from tetraproof.errors import UsageError
from tetraproof.machines import tool
from tetraproof.pacing.deadline import Deadlines
from tetraproof.pacing.progress import Narrator
from tetraproof.settings import extra
from tetraproof.settings.options import spelled

ABOUT = "list what killed runs left on a cluster, and remove it if told"


def add(parser: argparse.ArgumentParser) -> None:
    """What it is told."""
    parser.add_argument("--context", default="", help="the context of the kubeconfig; there is no default")
    parser.add_argument("--kubeconfig", default="", help="default: KUBECONFIG, then ~/.kube/config")
    parser.add_argument("--helm", default="", help="the helm to uninstall with (default: that on PATH)")
    parser.add_argument("--slowness", type=float, default=1.0, help="every deadline so many times as long (default: 1)")
    parser.add_argument("--yes", action="store_true", help="remove what is listed")
    parser.add_argument("--typed", default="tetraproof", help=argparse.SUPPRESS)


def run(given: argparse.Namespace) -> int:
    """List it; with `--yes` remove it. Raises `UsageError`."""
    extra.need("cluster", "clean-cluster")
    from tetraproof.kubernetes import kubeconfig, leftovers  # noqa: PLC0415 - of an extra
    from tetraproof.kubernetes.cluster import Cluster  # noqa: PLC0415 - likewise
    from tetraproof.kubernetes.helm import Helm, HelmError  # noqa: PLC0415 - likewise

    if not given.slowness > 0:
        raise UsageError(f"SLOWNESS={given.slowness:g} is no number of times.", remedy="write one above 0, such as 3")
    if not given.context:
        raise UsageError(
            "clean-cluster needs to know which cluster: the current context is never taken.",
            remedy=f"CONTEXT= names one of {kubeconfig.contexts(given.kubeconfig)}",
        )
    deadlines = Deadlines().scaled(given.slowness)
    with TemporaryDirectory() as folder:
        own = Path(folder, "kubeconfig")
        kubeconfig.copy(given.context, own, given.kubeconfig)

        def helm() -> Helm:
            found = tool.find("helm", given.helm)
            return Helm(found, own, given.context, Path(folder, "helm"), deadlines.rollout)

        with closing(Cluster(own, given.context, deadlines)) as cluster, Narrator(_say) as tell:
            found = leftovers.find(cluster)
            if not any(one.is_installation for one in found):
                try:
                    found += leftovers.find_release(helm())
                except (HelmError, UsageError) as error:
                    print(f"whether Helm has a release of ours is not known: {error.sentence}", file=sys.stderr)
            for one in found:
                print(one)
            if found and given.yes:
                leftovers.remove(cluster, found, deadlines, tell, helm)
    copies = list(kubeconfig.left(remove=given.yes))
    for path in copies:
        print(f"the copy of a kubeconfig, with its credentials: {path}")
    count = len(found) + len(copies)
    command = spelled(f"make clean-cluster CONTEXT={shlex.quote(given.context)} YES=1", given.typed)
    told = "removed" if given.yes else f"to remove them, when no run is going on: {command}"
    print(f"{count} left by runs that were killed; {told}" if count else "nothing is left on the cluster")
    return 0


def _say(line: str, /) -> None:
    print(line, file=sys.stderr)
