"""The program that has pytest-kind make a cluster, in a session of its own.

The terminal's interrupt reaches neither it nor kind: whoever started it decides. Its standard input is held by the
run; when that ends, however it does, this program ends with all that it started.

What the engine was asked for by then it makes all the same, and nobody is left to note it. So every container is born
with the run's mark on it: kind is given an engine on its PATH that adds a label to each.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from tetraproof.kubernetes.kind.engine import MARK


def main(arguments: Sequence[str]) -> int:
    """Make the cluster, working in the current folder; returns the exit code of kind, which says why it is not 0.

    The arguments are its name, where its kubeconfig is written, kind's configuration, the node image (kind's default
    where empty), the paths of kind and kubectl, the engine, and the mark that its containers get.
    """
    from pytest_kind import KindCluster  # noqa: PLC0415 - under the GPL, and needed by nobody else

    name, kubeconfig, config, image, kind, kubectl, engine, mark = arguments
    _mark(engine, mark)
    # pytest-kind ends kind then, and the engine's commands are left to end by themselves: what one of them has asked
    # the engine for is made all the same, so only its end tells that nothing comes any more
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    try:
        KindCluster(name, Path(kubeconfig), image or None, _retaining(Path(kind)), Path(kubectl)).create(config)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def _retaining(kind: Path) -> Path:
    """kind, told to leave the nodes that it could not set up as they are: their logs say why, and we remove them."""
    own = Path("kind-retaining").absolute()
    return own if _program(own, 'case "$1 $2" in "create cluster") set -- "$@" --retain;; esac', kind) else kind


def _mark(engine: str, mark: str) -> None:
    """Have every container that kind makes labelled with the mark, by an engine of ours before the other on PATH."""
    own = Path("engine").absolute()
    own.mkdir(exist_ok=True)
    label = shlex.quote(f"{MARK}={mark}")
    line = f'case "$1" in run|create) verb=$1; shift; set -- "$verb" --label {label} "$@";; esac'
    real = shutil.which(engine)
    if real and _program(own / engine, line, Path(real).absolute()):
        os.environ["PATH"] = os.pathsep.join((str(own), os.environ["PATH"]))


def _program(path: Path, line: str, real: Path) -> bool:
    """A program that changes its arguments by a line of the shell's, and is another one then; whether it can be run."""
    path.write_text(f'#!/bin/sh\n{line}\nexec {shlex.quote(str(real))} "$@"\n', encoding="utf-8")
    path.chmod(0o700)
    # a file system may be mounted so that nothing on it is executed
    return os.access(path, os.X_OK)


def _end_with_the_run() -> None:
    """Await the end of whoever holds our standard input, and end this session then."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
