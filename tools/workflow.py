"""Run the jobs of a workflow here, one after another, as far as they are commands: `python -m tools.workflow FILE`.

What needs the CI system's own services is replaced, and named: a checkout is this checkout, an artifact a folder, a
matrix every one of its combinations; pages are not deployed. Containers and packages are this machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")
#: Steps that install this machine's packages, or push to a remote, are not taken here.
_NOT_HERE = ("apt-get", "git push")


@dataclass
class Workflow:
    """A workflow's file, the checkout that its steps run in, and where artifacts lie."""

    jobs: Mapping[str, Any]
    checkout: Path
    artifacts: Path
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)

    def run(self) -> int:
        """Run every job in order; the first step that fails ends it with its exit code."""
        for name, job in self.jobs.items():
            for combination in self._combinations(job):
                code = self._job(name, job, combination)
                if code:
                    return code
        return 0

    def _combinations(self, job: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        matrix = job.get("strategy", {}).get("matrix")
        if matrix is None:
            yield {}
        else:
            yield from json.loads(self._filled(str(matrix), {}))["include"]

    def _job(self, name: str, job: Mapping[str, Any], combination: Mapping[str, Any]) -> int:
        steps: dict[str, dict[str, str]] = {}
        self._told(f"job {name} {combination.get('name', '')}".rstrip())
        for at, step in enumerate(job["steps"]):
            known = {"matrix": combination, "steps": steps}
            if "uses" in step:
                self._service(step, known)
                continue
            script = self._filled(step["run"], known)
            if any(word in script for word in _NOT_HERE):
                lines = [line for line in script.splitlines() if not any(word in line for word in _NOT_HERE)]
                self._replace(f"left out of step {at + 1} of {name}: what has {' or '.join(_NOT_HERE)}")
                script = "\n".join(line.removesuffix(" \\") for line in lines if "qemu" not in line)
            output = self.artifacts / "output"
            output.write_text("", encoding="utf-8")
            environment = {key: self._filled(str(value), known) for key, value in step.get("env", {}).items()}
            own = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(self.artifacts / "summary.md")}
            self._told(f"  {script.splitlines()[0] if script.strip() else 'nothing of it is done here'}")
            done = subprocess.run(  # noqa: S603 - the workflow's own words
                ["/bin/bash", "-e", "-o", "pipefail", "-c", script],
                cwd=self.checkout,
                env=os.environ | own | environment,
                check=False,
            )
            if done.returncode:
                self._told(f"  step {at + 1} of {name} failed with {done.returncode}")
                return done.returncode
            if "id" in step:
                lines = [line.partition("=") for line in output.read_text(encoding="utf-8").splitlines()]
                steps[step["id"]] = {key: value for key, _, value in lines}
        self.outputs[name] = {
            key: self._filled(str(value), {"steps": steps}) for key, value in job.get("outputs", {}).items()
        }
        return 0

    def _service(self, step: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        """What the CI system does itself."""
        name, given = step["uses"].partition("@")[0], step.get("with", {})
        if name == "actions/upload-artifact":
            source = self.checkout / self._filled(given["path"], known)
            target = self.artifacts / "artifacts" / self._filled(given["name"], known)
            if source.exists():
                shutil.copytree(source, target, dirs_exist_ok=True)
                # the next job has a checkout of its own
                shutil.rmtree(source)
        elif name == "actions/download-artifact":
            for artifact in sorted((self.artifacts / "artifacts").glob(given["pattern"])):
                shutil.copytree(artifact, self.checkout / given["path"] / artifact.name, dirs_exist_ok=True)
        self._replace(f"replaced: {name}")

    def _replace(self, what: str) -> None:
        """Each is named once, however many cells there are."""
        if what not in self.replaced:
            self.replaced.append(what)

    def _filled(self, text: str, known: Mapping[str, Any]) -> str:
        return _EXPRESSION.sub(lambda found: self._value(found[1], known), text)

    def _value(self, expression: str, known: Mapping[str, Any]) -> str:
        inner = re.fullmatch(r"fromJSON\((.+)\)", expression)
        if inner:
            return self._value(inner[1], known)
        match expression.split("."):
            case ["needs", job, "outputs", name]:
                return self.outputs[job][name]
            case ["steps", step, "outputs", name]:
                return str(known["steps"].get(step, {}).get(name, ""))
            case ["matrix", name]:
                return str(known["matrix"][name])
        raise SystemExit(f"tools.workflow knows no ${{{{ {expression} }}}}")

    def _told(self, line: str) -> None:
        print(line, flush=True)


def main(arguments: list[str]) -> int:
    """Run a workflow in this checkout. Ends with the exit code of the step that failed, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the workflow, a YAML file")
    parser.add_argument("--into", type=Path, required=True, help="a new folder for artifacts, outputs and the summary")
    given = parser.parse_args(arguments)
    given.into.mkdir(parents=True)
    jobs = yaml.safe_load(given.file.read_text(encoding="utf-8"))["jobs"]
    workflow = Workflow(jobs, Path.cwd(), given.into.resolve())
    code = workflow.run()
    print("\n".join(["", *workflow.replaced]))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
