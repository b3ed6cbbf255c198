"""How much memory and time it takes to judge acts in a crowd: a scenario with millions of events of others.

    python benchmarks/judge_crowd.py --events 2000000

A recording is made in a temporary folder of a shipped scenario, with events of host processes and of other pods
between those of the acts, and judged by the shipped suite. Its verdicts must be those of the shipped recording, or the
exit code is 1; time and memory are told, and nothing is asserted of them. A million events are 1.4 GB on the disk.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORDING = ROOT / "recordings/k8s-1.36.2_tetragon-1.7.0_debian-6.12.117"
SCENARIO, SUITE = "block-fd-install", "suites/files/test_block_fd_install.py"
BINARIES = ("/usr/bin/kubelet", "/usr/bin/containerd", "/usr/bin/tetragon", "/usr/sbin/nginx", "/usr/bin/redis-server")
SUMS = "SHA256SUMS"


def others(count: int) -> Iterator[bytes]:
    """Lines of events of others: of the host's processes, and of pods that nobody acts in."""
    source = RECORDING / "scenarios/block-internet-egress/events.jsonl"
    told = next(one for one in map(json.loads, source.read_bytes().splitlines()) if "process_kprobe" in one)
    body = told["process_kprobe"]
    body |= {"policy_name": "somebody-else", "function_name": "tcp_sendmsg", "action": "KPROBE_ACTION_POST"}
    for who in (body["process"], body["parent"]):
        who |= {"exec_id": "@ID@", "parent_exec_id": "@BY@", "binary": "@BINARY@"}
        who.pop("tid", None)
    pod = body["process"].pop("pod", None)
    host = json.dumps(told)
    body["process"]["pod"] = {**(pod or {}), "namespace": "shop", "name": "@POD@"}
    guest = json.dumps(told)
    for number in range(count):
        own = base64.b64encode(f"tetra-node:{number // 3:015}:{number % 30000}".encode()).decode()
        line = (host, guest)[number % 2].replace("@ID@", own).replace("@BY@", own[::-1])
        yield line.replace("@BINARY@", BINARIES[number % 5]).replace("@POD@", f"web-{number % 400}").encode() + b"\n"


def make(folder: Path, count: int) -> None:
    """The recording: one scenario, its events with those of others in between."""
    index = json.loads((RECORDING / "recording.json").read_bytes())
    index["scenarios"] = [one for one in index["scenarios"] if one["name"] == SCENARIO]
    files = {"recording.json": json.dumps(index).encode()}
    for path in RECORDING.rglob("*"):
        name = path.relative_to(RECORDING).as_posix()
        if path.is_file() and name.startswith(("environment/", f"scenarios/{SCENARIO}/")) and "export" not in name:
            files.setdefault(name, path.read_bytes())
    stream = f"scenarios/{SCENARIO}/events.jsonl"
    printed = f"scenarios/{SCENARIO}/events.compact.txt"
    lines, shown = (files.pop(name).splitlines(keepends=True) for name in (stream, printed))
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    crowd, each, digest = others(count), count // len(lines), hashlib.sha256()
    with (folder / stream).open("wb") as file, (folder / printed).open("wb") as compact:
        for at, line in enumerate(lines):
            compact.write(shown[at])
            file.write(line)
            digest.update(line)
            for _ in range(each if at else count - each * (len(lines) - 1)):
                other = next(crowd)
                compact.write(b"-\n")
                file.write(other)
                digest.update(other)
    sums[stream] = digest.hexdigest()
    sums[printed] = hashlib.sha256((folder / printed).read_bytes()).hexdigest()
    (folder / SUMS).write_text("".join(f"{sums[name]}  {name}\n" for name in sorted(sums)))


def judge(recording: Path, reports: Path) -> dict[str, str]:
    """The verdicts of a run of the suite on a recording, by promise or limit."""
    words = [sys.executable, "-m", "tetraproof", "test", "--target", "replay", "--recording", str(recording), SUITE]
    words += ["--reports", str(reports), "--run-id", recording.name, "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - what stands above
    written = reports / recording.name / "verdicts.json"
    if not written.is_file():
        sys.exit(done.stdout + done.stderr)
    (policy,) = [one for one in json.loads(written.read_bytes())["policies"] if one["name"] == SCENARIO]
    found = {one["name"]: one["verdict"] for one in policy["claims"]}
    return found | {one["name"]: one["result"] for one in policy["limits"]}


def main() -> int:
    """Make it, judge it, and hold it against the shipped one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000, help="events of others (default: two million)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tetraproof-crowd-") as place:
        made = Path(place, "crowd")
        made.mkdir()
        make(made, asked.events)
        size = (made / f"scenarios/{SCENARIO}/events.jsonl").stat().st_size
        wanted = judge(RECORDING, Path(place, "reports"))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        found = judge(made, Path(place, "reports"))
        spent = time.monotonic() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    differ = {name: (wanted[name], found.get(name)) for name in wanted if found.get(name) != wanted[name]}
    print(
        f"{asked.events:,} events of others, {size / 1e6:,.0f} MB of stream, {len(wanted)} promises and limits judged"
    )
    print(f"peak memory {after.ru_maxrss / 1024:,.0f} MB, {busy:.0f} s of processor time, {spent:.0f} s by the clock")
    print(f"verdicts that differ from those of the shipped recording: {differ or 'none'}")
    return 1 if differ else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
