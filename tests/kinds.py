"""A kind, a container engine and a Helm made of scripts, over the mock cluster: what they made is in a folder.

They do what kind 0.33 and docker 28.5 were seen to do, no more; what a test changes of them is a file in that folder:
`LONG` in it is a nap of a minute, a tenth of a second for each character.
"""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import yaml

from tests.api_server import ApiServer
from tests.builders import ROOT
from tests.clusters import Lab
from tests.machines.test_tool import script

NAME = "made"
LONG = "z" * 600

_ASK = """\
cd {folder} || exit 1
nap() {{
  [ ! -e "$1" ] || for one in $(sed 's/./& /g' "$1"); do sleep 0.1; done
}}
ask() {{ {python} -c 'import sys, urllib.request as u; u.urlopen(sys.argv[1], b"").read()' "{url}/$1"; }}
"""
_KIND = """\
echo "$* [$KIND_EXPERIMENTAL_PROVIDER]" >> asked
last() {{ for one; do :; done; echo "$one"; }}
named() {{ echo "$*" | sed -n 's/.*--name[ =]\\([^ ]*\\).*/\\1/p'; }}
name=$(named "$@")
node() {{
  ${{KIND_EXPERIMENTAL_PROVIDER:-docker}} run --name "$name-$1" --label "io.x-k8s.kind.cluster=$name" kindest/node
}}
file=$(echo "$*" | sed -n 's/.*--kubeconfig[ =]\\([^ ]*\\).*/\\1/p')
case "$*" in
  version) echo kind v0.33.0 go1.26 linux/amd64;;
  "get clusters") [ -e refuses ] && {{ cat refuses >&2; exit 1; }}; ls clusters;;
  "get nodes "*) sed 's/^[^ ]* \\([^ ]*\\).*/\\1/' "clusters/$name" 2>/dev/null;;
  "get kubeconfig "*)
    [ -e stopped ] && {{ echo "ERROR: failed to get cluster internal kubeconfig" >&2; exit 1; }}
    sed "s/CONTEXT/kind-$name/" kubeconfig;;
  "create cluster "*)
    [ -e "clusters/$name" ] && {{ echo "ERROR: node(s) already exist for a cluster" >&2; exit 1; }}
    echo "Creating cluster \\"$name\\" ..." >&2
    echo " • Ensuring node image (kindest/node:v1.36.2) 🖼  ..." >&2
    nap pulls
    echo " ✓ Ensuring node image (kindest/node:v1.36.2) 🖼" >&2
    echo " • Preparing nodes 📦 📦   ..." >&2
    for node in control-plane worker; do node $node || exit 1; done
    echo " ✓ Preparing nodes 📦 📦" >&2
    # what an engine was asked for is made, whoever asked is gone
    [ ! -e late ] || ( sleep 3; node late ) &
    nap prepares
    [ -e fails ] && {{ cat fails >&2; case "$*" in *--retain*) ;; *) rm "clusters/$name";; esac; exit 1; }}
    sed "s/CONTEXT/kind-$name/" kubeconfig > "$file"
    echo "Have a nice day! 👋" >&2;;
  "load image-archive "*) [ -e unloadable ] && {{ cat unloadable >&2; exit 1; }}; exit 0;;
  "export logs "*) mkdir -p "$3" && echo "kubelet of $name" > "$3/kubelet.log";;
  "delete cluster "*)
    nap deletes
    [ -e stays ] && {{ echo "ERROR: failed to delete cluster: permission denied" >&2; exit 1; }}
    rm -f "clusters/$name" release; ask delete;;
  *) echo "unknown: $*" >&2; exit 1;;
esac
"""
_ENGINE = """\
CLUSTER='kind.cluster=\\([^ ]*\\)' MARK='tetraproof.dev.mark=\\([^ ]*\\)'
of() {{ pattern=$1; shift; echo "$*" | sed -n "s/.*$pattern.*/\\1/p"; }}
case "$*" in
  "info "*) [ -e silent ] && {{ echo "Cannot connect to the daemon" >&2; exit 1; }}; echo 28.5.2;;
  "run "*)
    line="$(cat /proc/sys/kernel/random/uuid) $(of '--name \\([^ ]*\\)' "$@") $(of "$MARK" "$@")"
    # the engine's daemon goes on, whoever asked it is gone
    setsid sh -c 'nap=$1; shift; sleep $nap; echo "$1" >> "clusters/$2"' sh \
      "$(cat slow 2>/dev/null || echo 0)" "$line" "$(of "$CLUSTER" "$@")" &
    wait;;
  "ps "*)
    name=$(of "$CLUSTER" "$@")
    [ ! -e "clusters/$name" ] || sed -n "/ $(of "$MARK" "$@")/s/ .*//p" "clusters/$name";;
esac
"""
_HELM = """\
case "$1" in
  version) echo v4.2.4+g0;;
  template) echo '{{}}';;
  install)
    echo "$*" | tr ' ' '\\n' | sed -n 's/^daemonSetAnnotations.//p' | tr -d '\\\\' > release
    nap installs
    ask install;;
  uninstall) rm -f release; ask uninstall;;
  list) [ -e release ] && echo '[{{"name": "tetragon", "revision": "1", "app_version": "1.7.0"}}]' || echo '[]';;
  get)
    case "$*" in
      *"-o json"*) echo "daemonSetAnnotations:"; sed 's/\\(.*\\)=\\(.*\\)/  \\1: "\\2"/' release;;
      *) echo '{{}}';;
    esac;;
esac
"""


class Kinds:
    """The tools, and what they made. `bin` is the folder to put on PATH."""

    def __init__(self, api: ApiServer, folder: Path, *, engine: str = "docker") -> None:
        self.api, self.folder, self.bin = api, folder / "made", folder / "bin"
        (self.folder / "clusters").mkdir(parents=True)
        self.bin.mkdir()
        self.lab = Lab(api, (f"{NAME}-control-plane", f"{NAME}-worker"), tetragon=False)
        config = yaml.safe_load(api.kubeconfig(self.folder / "kubeconfig").read_text(encoding="utf-8"))
        config["current-context"] = config["contexts"][0]["name"] = "CONTEXT"
        self.set("kubeconfig", yaml.safe_dump(config))
        self._server = HTTPServer(("127.0.0.1", 0), _player(self.lab, self.folder))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{self._server.server_port}"
        for name, text in (("kind", _KIND), (engine, _ENGINE), ("helm", _HELM)):
            script(self.bin, (_ASK + text).format(folder=self.folder, python=sys.executable, url=url), name)
        script(self.bin, "echo Client Version: v1.36.4", "kubectl")
        # and no engine of this machine's
        for name in ("sh", "sed", "ls", "cat", "sleep", "rm", "mkdir", "tr", "setsid"):
            (self.bin / name).symlink_to(shutil.which(name) or name)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def set(self, name: str, text: str = "") -> None:
        """Have the tools behave otherwise."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def unset(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    @property
    def asked(self) -> list[str]:
        """What kind was asked, with the engine that it was told of."""
        file = self.folder / "asked"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []

    @property
    def clusters(self) -> set[str]:
        """The clusters that there are."""
        return {path.name for path in (self.folder / "clusters").iterdir()}

    def make(self, name: str = NAME) -> None:
        """What a user does: a cluster that no run made."""
        words = [str(self.bin / "kind"), "create", "cluster", "--name", name, "--kubeconfig", str(self.folder / "own")]
        subprocess.run(words, check=True, capture_output=True, env=self.environment())

    def environment(self, **more: str) -> Mapping[str, str]:
        """What a run sees: these tools, and a state of its own."""
        state = str(self.folder / "state")
        return {**os.environ, "PATH": str(self.bin), "XDG_STATE_HOME": state, "PYTHONPATH": "", **more}


def _player(lab: Lab, folder: Path) -> type[BaseHTTPRequestHandler]:
    before = copy.deepcopy(lab.api.objects)

    class Player(BaseHTTPRequestHandler):
        """Plays what Helm does to the cluster, and that it goes with its nodes."""

        def do_POST(self) -> None:
            if self.path == "/delete":
                lab.api.objects = copy.deepcopy(before)
            elif self.path == "/install":
                # it may be uninstalled meanwhile
                with suppress(FileNotFoundError):
                    written = (folder / "release").read_text(encoding="utf-8")
                    lab.install()
                    annotations = dict(line.split("=", 1) for line in written.split())
                    lab.daemonset["metadata"]["annotations"] = annotations
            elif "tetragon" in lab.api.names("apps/v1/DaemonSet"):
                lab.uninstall()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"done")

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    return Player


def words_of(kinds: Kinds, folder: Path, *more: str) -> list[str]:
    """A run on the target kind."""
    return [
        *(sys.executable, "-m", "tetraproof", "test", "-p", "no:hypothesispytest", "-p", "no:cacheprovider"),
        *("--suites", str(folder / "suites"), "--policies", str(folder / "policies")),
        *("--workloads", str(folder / "workloads"), "--reports", str(folder / "reports"), "--run-id", "run"),
        *("--target", "kind", "--cluster-name", NAME, *more),
    ]


def started(kinds: Kinds, folder: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    """Such a run, in a session of its own."""
    return subprocess.Popen(
        words_of(kinds, folder, *more),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(kinds.environment(**environment)),
        start_new_session=True,
    )
