"""Runs a Python program as `pulumi-language-python` does: the arguments are the addresses and the file."""

import asyncio
import json
import os
import runpy
import sys

import pulumi.runtime

monitor, engine, file = sys.argv[1:4]
pulumi.runtime.set_all_config(
    json.loads(os.environ["PULUMI_CONFIG"]), json.loads(os.environ["PULUMI_CONFIG_SECRET_KEYS"])
)
pulumi.runtime.configure(
    pulumi.runtime.Settings(
        project=os.environ["PULUMI_PROJECT"],
        stack=os.environ["PULUMI_STACK"],
        organization=os.environ["PULUMI_ORGANIZATION"],
        parallel=int(os.environ["PULUMI_PARALLEL"]),
        dry_run=os.environ["PULUMI_DRY_RUN"] == "true",
        monitor=monitor,
        engine=engine,
    )
)


def program() -> None:
    runpy.run_path(file)


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(pulumi.runtime.run_in_stack(program))
