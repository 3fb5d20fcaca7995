#!/usr/bin/env bash
# One would guess: the debug lines of Pulumi's SDK for Python go to the engine when the command has --debug, and cost
# nothing without it.
# What happens: the SDK sends them always, each as a request of its own that the program waits for, and the engine drops
# them. Here the SDK's own mocked engine counts them: 4 a resource. In a preview of 2,700 resources they took more than
# half of the time of the program's event loop.
# Versions: pulumi 3.272.0, pulumi/log.py, debug and _log, pulumi/runtime/resource.py; pulumi_kubernetes 4.34.2.
# Output seen on 2026-11-29:
#   debug lines of 60 resources beyond those of 10: 200, 4 a resource
set -euo pipefail
own=$(realpath "${BASH_SOURCE[0]}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pulumi==3.272.0 pulumi_kubernetes==4.34.2

seen=$(
  venv/bin/python - <<'PYTHON'
import logging

import pulumi
from pulumi_kubernetes.core.v1 import ConfigMap


class Engine(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return args.name, args.inputs

    def call(self, args):
        return {}


class Counter(logging.Handler):
    lines = 0

    def emit(self, record):
        self.lines += record.levelno == logging.DEBUG


counter = Counter()
logger = logging.Logger("engine", logging.DEBUG)
logger.addHandler(counter)
pulumi.runtime.set_mocks(Engine(), logger=logger)


@pulumi.runtime.test
def create(count):
    maps = [ConfigMap(f"{count}-{number}", data={"model": "google/gemma-2b-it"}) for number in range(count)]
    return pulumi.Output.all(*(each.urn for each in maps))


def lines(count):
    before = counter.lines
    create(count)
    return counter.lines - before


lines(10)
more = lines(60) - lines(10)
print(f"debug lines of 60 resources beyond those of 10: {more}, {more / 50:g} a resource")
PYTHON
)
echo "$seen"
expected=$(sed -nE 's/^#   (debug lines.*)$/\1/p' "$own")
[ "$seen" = "$expected" ] || { echo "this is not what was seen before"; exit 1; }
