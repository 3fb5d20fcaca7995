"""A Git server in a folder, with one pull request, and stand-ins for what GitHub and Google provide."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.project_copy import copy_project

from .runner import Action, Job

REPOSITORY = "my-org/llm-d"
NUMBER = 7

_PYTHON = """#!{python}
# Stands in for the runner's Python: a virtual environment is the tests' own, and nothing is installed.
import os, pathlib, sys
if sys.argv[1:3] == ["-m", "venv"]:
    bin = pathlib.Path(sys.argv[3], "bin")
    bin.mkdir(parents=True)
    (bin / "python").symlink_to({wrapper!r})
    (bin / "pip").write_text("#!/bin/sh\\necho replaced: pip \\"$@\\"\\n")
    (bin / "pip").chmod(0o755)
else:
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
_WRAPPER = """#!/bin/sh
# The program of the checkout, with the tests' packages.
exec {python} "$@"
"""
# With a rehearsed stack: `verify --on gke` looks at it, and Google's APIs are the stand-in's.
_REHEARSED_WRAPPER = """#!/bin/sh
case "$*" in
  *" verify "*) echo "replaced: --on gke"; exec {python} -m llm_d_gke verify "$4" --on rehearsal;;
  *" destroy "*) echo "replaced: Google's APIs by the stand-in's"; exec {python} -m tests.workflows.destroy "$@";;
esac
exec {python} "$@"
"""
_PULUMI = """#!/bin/sh
# The engine looks for Pulumi on PATH, where this file is the first.
PATH="${{PATH#*:}}" exec {python} -m tests.workflows.pulumi "$@"
"""
_GH = """#!{python}
# Stands in for `gh api`: comments of the pull request are in a file.
import json, os, pathlib, re, sys
file = pathlib.Path(os.environ["WALK_COMMENTS"])
comments = json.loads(file.read_text()) if file.exists() else []
words = sys.argv[2:]
body = next((word.removeprefix("body=@") for word in words if word.startswith("body=@")), None)
if body is None:
    print(next((comment["id"] for comment in comments if comment["body"].startswith("## Verdict\\n")), ""))
    sys.exit()
text = pathlib.Path(body).read_text()
path = next(word for word in words if word.startswith("repos/"))
known = re.search(r"comments/(\\d+)$", path)
if known:
    next(comment for comment in comments if comment["id"] == int(known[1]))["body"] = text
else:
    comments.append({{"id": len(comments) + 1, "body": text}})
file.write_text(json.dumps(comments))
"""
_GCLOUD = """#!{python}
# Stands in for `gcloud storage cp` and `rm`: gs://bucket is a folder.
import glob, os, pathlib, shutil, sys
def local(name):
    return name.replace("gs://", os.environ["WALK_BUCKETS"] + "/")
verb, *names = [word for word in sys.argv[2:] if not word.startswith("-")]
if verb == "ls":
    found = glob.glob(local(names[0]) + "*")
    print("\\n".join(found))
    sys.exit(0 if found else "nothing is there")
if verb == "rm":
    pathlib.Path(local(names[0])).unlink()
    sys.exit()
source, target = map(local, names)
found = glob.glob(source)
for file in found:
    into = pathlib.Path(target, pathlib.Path(file).name) if target.endswith("/") else pathlib.Path(target)
    into.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, into)
sys.exit(0 if found else "nothing matches " + source)
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


class Server:
    """A bare repository with the project on main, and a developer's clone of it.

    Checkouts share the stacks of `rehearsal`, as runners share Google Cloud.
    """

    def __init__(self, folder: Path, rehearsal: Path | None = None) -> None:
        self.rehearsal = rehearsal
        self.bare, self.clone = folder / "server.git", folder / "developer"
        copy_project(self.clone)
        git(self.clone, "init", "--quiet", "--initial-branch=main")
        git(self.clone, "init", "--quiet", "--bare", str(self.bare))
        git(self.clone, "remote", "add", "origin", str(self.bare))
        self.commit("Begin")
        git(self.clone, "push", "--quiet", "origin", "main")

    def commit(self, message: str) -> str:
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", f"--message={message}")
        return git(self.clone, "rev-parse", "HEAD")

    def pull_request(self, message: str, *labels: str) -> Mapping[str, Any]:
        """Push the clone's changes as a branch. Returns GitHub's context of a workflow for the pull request.

        GitHub runs it on a merge of the branch into main, which no branch has.
        """
        base = git(self.clone, "rev-parse", "main")
        git(self.clone, "checkout", "--quiet", "-b", "change")
        head = self.commit(message)
        git(self.clone, "push", "--quiet", "origin", "change")
        git(self.clone, "checkout", "--quiet", "main")
        git(self.clone, "merge", "--quiet", "--no-ff", "--message=Merge", "change")
        merge = git(self.clone, "rev-parse", "HEAD")
        git(self.clone, "push", "--quiet", "origin", f"HEAD:refs/pull/{NUMBER}/merge")
        repository = {"full_name": REPOSITORY}
        labeled = [{"name": label} for label in labels]
        pull = {"base": {"sha": base}, "head": {"sha": head, "repo": repository}, "labels": labeled}
        event = {
            "number": NUMBER,
            "pull_request": pull,
            "action": "labeled" if labels else "opened",
            "repository": {"default_branch": "main"},
        }
        return {"sha": merge, "repository": REPOSITORY, "event_name": "pull_request", "event": event, "token": "none"}

    def merge(self) -> Mapping[str, Any]:
        """Push the merge to main. Returns the context of a workflow for the push."""
        git(self.clone, "push", "--quiet", "origin", "main")
        sha = git(self.clone, "rev-parse", "main")
        return {"sha": sha, "repository": REPOSITORY, "event_name": "push", "event": {}, "token": "none"}

    def checkout(self, job: Job, arguments: Mapping[str, str]) -> str:
        """actions/checkout: the commit of the event, or `ref`, in the workspace or below it."""
        target = job.workspace / arguments.get("path", ".")
        target.mkdir(exist_ok=True)
        ref = arguments.get("ref") or job.environment["GITHUB_SHA"]
        git(target, "init", "--quiet")
        git(target, "fetch", "--quiet", str(self.bare), "+refs/*:refs/remotes/origin/*")
        branch = f"refs/remotes/origin/heads/{ref}"
        git(target, "checkout", "--quiet", branch if git(target, "for-each-ref", branch) else ref)
        if self.rehearsal is not None:
            (target / ".rehearsal").symlink_to(self.rehearsal)
        return git(target, "log", "-1", "--format=%H %s")


def write_programs(folder: Path, *, rehearsed: bool = False) -> Path:
    """Stand-ins for the runner's python, gcloud and gh; with a rehearsal also for pulumi."""
    folder.mkdir()
    wrapper = folder / "wrapper"
    texts = {"wrapper": _WRAPPER, "python": _PYTHON, "gh": _GH, "gcloud": _GCLOUD}
    if rehearsed:
        texts |= {"wrapper": _REHEARSED_WRAPPER, "pulumi": _PULUMI}
    for name, text in texts.items():
        file = folder / name
        file.write_text(text.format(python=sys.executable, wrapper=str(wrapper)), encoding="utf-8")
        file.chmod(0o755)
    return folder


def nothing(_job: Job, _arguments: Mapping[str, str]) -> str:
    return ""


def actions(server: Server, pulumi: Action = nothing) -> Mapping[str, tuple[str, Action]]:
    """What stands in for each action of the workflow files."""
    return {
        "actions/checkout": ("git, from the local server", server.checkout),
        "actions/setup-python": ("the Python of the tests", nothing),
        "google-github-actions/auth": ("left out: no login to Google", nothing),
        "google-github-actions/setup-gcloud": ("left out: a stand-in is on PATH", nothing),
        "pulumi/actions": ("the rehearsal's engine", pulumi),
    }


def comments(file: Path) -> list[str]:
    return [comment["body"] for comment in json.loads(file.read_text(encoding="utf-8"))] if file.exists() else []
