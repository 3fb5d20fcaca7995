"""Implements the commands of the rehearsal."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from pulumi.automation import CommandError

from llm_d_gke.cli.drawing import drawn
from llm_d_gke.cli.text import print_step
from llm_d_gke.pending_creates import adopt_pending_creates
from llm_d_gke.planning import RefusedError, plan_config
from llm_d_gke.planning.findings import labeled, located
from llm_d_gke.planning.plan.stack import ModelPlan, StackPlan
from llm_d_gke.rehearsal.before_destroy import prepare_destroy, refuse_members
from llm_d_gke.rehearsal.cluster_client import client
from llm_d_gke.rehearsal.engine_choice import EngineChoice, choose_engine, record_engine
from llm_d_gke.rehearsal.errors import RehearsalError
from llm_d_gke.rehearsal.looks import check_name
from llm_d_gke.rehearsal.node_agent.launch import SCORES_VERBOSITY
from llm_d_gke.rehearsal.paths import StackPaths, forget_differences
from llm_d_gke.rehearsal.providers.gcp.existing import create_existing
from llm_d_gke.rehearsal.providers.gcp.lifecycle import resume
from llm_d_gke.rehearsal.providers.requests import Refused
from llm_d_gke.rehearsal.pulumi_engine.changes import (
    PlannedSteps,
    diff_settings,
    find_switch_problems,
    print_changes,
    save_settings,
)
from llm_d_gke.rehearsal.pulumi_engine.configuration import load
from llm_d_gke.rehearsal.pulumi_engine.engine import Engine, engine
from llm_d_gke.rehearsal.pulumi_engine.engine_simulation import write_engine_simulation
from llm_d_gke.rehearsal.pulumi_engine.interruption import (
    Recorded,
    defer_interrupts,
    delete_orphaned_creates,
    has_pending_operations,
)
from llm_d_gke.rehearsal.pulumi_engine.needed_programs import is_over, needed_programs
from llm_d_gke.rehearsal.pulumi_engine.one_command import only_command
from llm_d_gke.rehearsal.pulumi_engine.policy_plugin import NO_POLICY, PolicyChoice, policy_options
from llm_d_gke.rehearsal.shared_cluster import join, leave, refuse_guests
from llm_d_gke.rehearsal.terminal import scores
from llm_d_gke.rehearsal.terminal.chat import Answer, ask, client_headers
from llm_d_gke.rehearsal.terminal.planned_changes import PlannedChanges, announced, to_all
from llm_d_gke.rehearsal.terminal.pod_logs import picker_lines
from llm_d_gke.rehearsal.terminal.progress import each_step_once, show
from llm_d_gke.rehearsal.terminal.request_path import AnswerPath, path_of_answer
from llm_d_gke.rehearsal.terminal.status import (
    console,
    print_differences,
    reachable,
    running_images,
)
from llm_d_gke.rehearsal.terminal.waiting_pods import watched
from llm_d_gke.rehearsal.toolchain.build import binaries
from llm_d_gke.rehearsal.toolchain.pickers import obtain
from llm_d_gke.rehearsal.vllm_cpu.prepare import prepare as prepare_vllm
from llm_d_gke.stackfile import PROJECT_ROOT, StackConfig
from llm_d_gke.wording import count, wrapped


def up(
    stack: str,
    changes: Mapping[str, str] = MappingProxyType({}),
    engine_choice: EngineChoice | None = None,
    policy: PolicyChoice = NO_POLICY,
    *,
    refresh: bool = False,
) -> int:
    """Start or update a stack. `engine_choice` None keeps the stack's engine; a new stack gets the simulator.

    `refresh`: compare with what runs, not with what Pulumi remembers.
    """
    began = time.monotonic()
    paths = StackPaths(stack)
    configuration = load(PROJECT_ROOT, stack, changes, available=lambda picker: obtain(picker, print_step))
    plan = _refuse_mistakes(paths, configuration)
    join(paths, plan)
    chosen = choose_engine(paths, engine_choice)
    if chosen is EngineChoice.VLLM:
        prepare_vllm(paths, plan, configuration, print_step)
    with only_command(paths):
        record_engine(paths, chosen)
        # Otherwise the first pod of each program would wait for its build without a line on the screen.
        binaries(needed_programs(plan, chosen), print_step)
        outputs = _update(paths, plan, configuration, policy, refresh=refresh)
    endpoint = reachable(paths) if plan.gateway.exists else None
    model = _to_ask(paths, plan) if endpoint is not None else None
    answer = None
    if endpoint is not None and model is not None:
        answer = _ask(paths, plan, endpoint, outputs, model.served_name)
    path = None if answer is None or endpoint is None else path_of_answer(paths, plan, answer, endpoint)
    if endpoint is None:
        print("\na member of a fleet has no Gateway: the config cluster's sends requests here")
    elif answer is None:
        print("\n" + wrapped(f"no model server {_why_none_serves(plan)}: nothing to ask"))
    _print_up(paths, outputs, endpoint, answer, path)
    print(f"\nup after {time.monotonic() - began:.0f} s; it keeps running until `make down STACK={stack}`")
    return 0


def _update(
    paths: StackPaths, plan: StackPlan, configuration: StackConfig, policy: PolicyChoice, *, refresh: bool
) -> Mapping[str, object]:
    """Create or update the stack's resources, and return its outputs."""
    with defer_interrupts(), engine(paths, configuration, print_step) as pulumi:
        resume_interrupted(pulumi)
        create_existing(paths, plan.project, plan.network, plan.cluster, print_step)
        write_engine_simulation(paths, configuration)
        paths.gateway.write_text(f"{plan.namespace.name}/{plan.gateway.name}", encoding="utf-8")
        if refresh:  # as verify and diagnose name it for GKE: fields that kubectl changed are not given back otherwise
            workspace = pulumi.stack.workspace
            workspace.env_vars = {**workspace.env_vars, "PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}
        if print_changes(paths, configuration):
            _refuse_deletions(pulumi, configuration, refresh=refresh)
        paths.unfinished.touch()
        with watched(paths, show):
            done = pulumi.stack.up(
                on_output=each_step_once(show),
                on_error=show,
                on_event=announced(show),
                color=_color(),
                refresh=refresh,
                suppress_outputs=True,
                **policy_options(paths, policy),
            )
        paths.unfinished.unlink()
        with client(paths) as kube:
            images = running_images(kube)
        forget_differences(paths, lambda sentence: is_over(sentence, plan, images))
        save_settings(paths, configuration)
        return {name: output.value for name, output in done.outputs.items()}


def _ask(paths: StackPaths, plan: StackPlan, endpoint: str, outputs: Mapping[str, object], model: str) -> Answer:
    # Of a fleet's Gateway no address is an output.
    host = urlsplit(str(outputs.get("endpoint", endpoint))).hostname or ""
    with client(paths) as kube:
        try:
            return ask(endpoint, host, model, headers=client_headers(plan, kube.find, paths.token_keys))
        except RehearsalError as error:
            raise RehearsalError(f"{error}\n`make diagnose STACK={paths.stack}` names the cause") from error


def preview(
    stack: str,
    changes: Mapping[str, str] = MappingProxyType({}),
    policy: PolicyChoice = NO_POLICY,
    *,
    every_value: bool = False,
) -> int:
    """Show what `up` would do. For a running stack that is a list of its changes, or with `every_value` all of them."""
    paths = StackPaths(stack)
    existed, stands = paths.home.exists(), paths.cloud.exists()
    # Nothing runs here for a preview, so it shows the stack's own picker, as the report and Google Cloud do. A running
    # stack is compared with the result of an `up`: the same release, with the picker that can run here.
    configuration = load(PROJECT_ROOT, stack, changes, own_release=not stands)
    plan = _refuse_mistakes(paths, configuration)
    join(paths, plan)
    try:
        with defer_interrupts(), engine(paths, configuration, print_step) as pulumi:
            create_existing(paths, plan.project, plan.network, plan.cluster, print_step)
            print_changes(paths, configuration)
            # For a running stack the changed values matter, for a new one the whole list.
            short = stands and not every_value
            steps, listed = PlannedSteps(), PlannedChanges()
            pulumi.stack.preview(
                on_output=each_step_once(show, steps=not short),
                on_error=show,
                on_event=to_all(steps.take, listed.take),
                color=_color(),
                diff=stands and every_value,
                **policy_options(paths, policy),
            )
            if short:
                listed.show(stack)
            _show_losses(steps, configuration)
    finally:
        if not existed:
            leave(paths)
    return 0


def why(stack: str, request_id: str | None, log: Path | None, last: int) -> int:
    """Print the scores of requests from the log of the stack's pickers. Raises RehearsalError where it has none."""
    configuration = load(PROJECT_ROOT, stack, own_release=True)
    plan = plan_config(stack, configuration)
    weights = {name: weight for model in plan.models for name, weight in scores.weights_of(model.picker.config).items()}
    names = [model.picker.name for model in plan.models]
    choices = scores.choices(picker_lines(StackPaths(stack), names, log, request_id))
    selected = [choice for choice in choices if request_id in (None, choice.request)][-last:]
    if not selected:
        if log is None and (changed := list(diff_settings(StackPaths(stack), load(PROJECT_ROOT, stack)))):
            raise RehearsalError(
                f"no request is in the log of {', '.join(names)}, and the stack file was changed after the last up"
                f" ({changed[0]}): make up STACK={stack}"
            )
        raise RehearsalError(
            f"the log of {', '.join(names)} has no request {request_id}"
            if request_id is not None and choices
            else f"the log of {', '.join(names)} has no scores: set llm-d:picker.verbosity: {SCORES_VERBOSITY}, run"
            " up, and send a request"
        )
    for choice in selected:
        print(drawn(scores.table(choice, weights)))
    return 0


def down(stack: str, changes: Mapping[str, str] = MappingProxyType({}), *, despite_members: bool = False) -> int:
    """Destroy the stack, then stop and remove everything that is left, also after a crash.

    `despite_members`: also the config cluster of a fleet whose members are up.
    """
    began = time.monotonic()
    paths = StackPaths(stack)
    if not paths.home.exists():
        check_name(stack)
        print(f"stack {stack} is not up")
        return 0
    refuse_guests(paths)
    if not despite_members:
        refuse_members(paths)
    with only_command(paths):
        return _take_down(paths, changes, began)


def _take_down(paths: StackPaths, changes: Mapping[str, str], began: float) -> int:
    stack = paths.stack
    failed: Exception | None = None
    try:
        configuration = load(PROJECT_ROOT, stack, changes)
        with defer_interrupts(), engine(paths, configuration, print_step) as pulumi:
            resume_interrupted(pulumi, destroying=True)
            prepare_destroy(pulumi, print_step)
            pulumi.stack.destroy(on_output=each_step_once(show), on_error=show, color=_color())
            pulumi.stack.workspace.remove_stack(stack)
    except Exception as error:
        # A stack that cannot be destroyed must not leave processes and files behind either.
        failed = error
    last = leave(paths)
    left = "no process, no file is left" if last else "its cluster stays for the other stacks in it"
    print(f"down after {time.monotonic() - began:.0f} s: {left}")
    if failed is not None:
        without = "everything was stopped and removed without it" if last else "its objects are still in the cluster"
        print(f"destroy itself failed; {without}:", file=sys.stderr)
        raise failed
    return 0


def render(stack: str, changes: Mapping[str, str], out: Path) -> int:
    # Imported here: recording needs the whole program, which the other commands leave to the engine.
    from llm_d_gke.resource_graph.rendering import render as write
    from llm_d_gke.resource_graph.stack_program import record_stack

    # What is read or compared is what Google Cloud would get.
    configuration = load(PROJECT_ROOT, stack, changes, own_release=True)
    _refuse_mistakes(StackPaths(stack), configuration, changing=False)
    written = write(record_stack(stack, configuration), out)
    print(f"{written.resources}\n{out / 'manifests'}: {count(len(written.manifests), 'Kubernetes object')}")
    return 0


def _refuse_mistakes(paths: StackPaths, configuration: StackConfig, *, changing: bool = True) -> StackPlan:
    """The plan. Raises RefusedError with every finding before the engine starts.

    `changing` also holds it against what runs.

    The engine alone would print the first value of a wrong type and end, because `Pulumi.yaml` has types.
    """
    plan = plan_config(paths.stack, configuration)
    switch = find_switch_problems(paths, configuration, plan) if changing else None
    if switch:
        raise RefusedError([*located(switch, configuration.place_of), *plan.warnings])
    return plan


def resume_interrupted(pulumi: Engine, *, destroying: bool = False) -> None:
    """Resume after an interruption or a reboot, before an `up` or, if `destroying`, before a destroy.

    Frees the engine's lock, starts the cluster's processes, and records or deletes objects that no state has.
    """
    lock = pulumi.paths.backend / ".pulumi" / "locks" / "organization" / "llm-d" / pulumi.paths.stack
    if lock.exists() and any(lock.iterdir()):
        pulumi.stack.cancel()
    try:
        resume(pulumi.paths, print_step)
    except Refused as refused:
        raise RehearsalError(str(refused)) from refused
    if destroying and has_pending_operations(pulumi.paths):
        adopt_pending_creates(Recorded(pulumi.stack), print_step)
    elif not destroying:
        delete_orphaned_creates(pulumi.stack, pulumi.paths, print_step)


def _refuse_deletions(pulumi: Engine, configuration: StackConfig, *, refresh: bool) -> None:
    """Preview, with output only of a failure. Raises RefusedError where the update would delete data."""
    steps = PlannedSteps()
    lines: list[str] = []
    try:
        pulumi.stack.preview(on_output=lines.append, on_event=steps.take, refresh=refresh)
    except CommandError:
        # What the update would fail at: nothing was changed yet.
        begin = next((number for number, line in enumerate(lines) if line.startswith("Diagnostics:")), 0)
        for line in lines[begin:]:
            show(line)
        raise
    _show_losses(steps, configuration)


def _show_losses(steps: PlannedSteps, configuration: StackConfig) -> None:
    """Print the acknowledged losses, or that none needs to be. Raises RefusedError where one is not acknowledged."""
    for finding in steps.refuse_losses(configuration):
        print(wrapped(labeled(finding)), flush=True)


def _to_ask(paths: StackPaths, plan: StackPlan) -> ModelPlan | None:
    """The first model of which a server runs or is on its way. After a pause an autoscaler creates it behind `up`.

    Raises RehearsalError where the plan has a server that nothing will create.
    """
    with client(paths) as kube:
        pods = kube.list("v1", "Pod", plan.namespace.name, labels="llm-d.ai/inference-serving=true")
    planned = next((model for model in plan.models if any(server.replicas for server in model.servers)), None)
    if any("deletionTimestamp" not in pod["metadata"] for pod in pods):
        return planned or plan.models[0]
    if planned is not None and any(server.scaling is None and server.replicas for server in planned.servers):
        raise RehearsalError(
            "no model server runs, and the plan has some: they were deleted in the cluster, unseen by Pulumi"
            f"\n`make up STACK={paths.stack} ARGS=--refresh` looks first, and creates them again"
        )
    return planned


def _why_none_serves(plan: StackPlan) -> str:
    if plan.paused:
        return "is meant to run (paused)"
    if any(server.wakes for model in plan.models for server in model.servers):
        return "runs until a request comes (autoscaling.minimum: 0)"
    return "is meant to run (replicas: 0)"


def _print_up(
    paths: StackPaths,
    outputs: Mapping[str, object],
    endpoint: str | None,
    answer: Answer | None,
    path: AnswerPath | None,
) -> None:
    to = console()
    if answer is not None:
        pod = answer.pod or (path.backend.pod if path is not None and path.backend is not None else "(unnamed)")
        to.print(f"\n[bold]{answer.model}[/] answered in {answer.seconds:.2f} s from pod [bold]{pod}[/]:")
        to.print(f"  {answer.text}", markup=False)
    to.print("\noutputs", style="bold")
    for name, value in outputs.items():
        if name == "capacity" and isinstance(value, dict):
            value = "; ".join(f"{model}: {_facts(facts)}" for model, facts in value.items())
        if name == "hourlyCost" and isinstance(value, dict):
            value = f"idle {value['idle']}, running {value['running']} USD (prices of {value['pricesOf']})"
        # A command is copied whole.
        line = f"  {name}: {value}"
        to.print(line if name in ("curl", "getCredentials") else wrapped(line), markup=False)
    if endpoint is not None:
        to.print(f"  reachable here as: {endpoint}", markup=False)
    print_differences(to, paths)
    if path is not None:
        to.print("\nthe path of this request", style="bold")
        to.print("\n".join(path.lines), markup=False)


def _facts(facts: Mapping[str, object]) -> str:
    if "kvCacheTokensPerReplica" not in facts:
        return str(facts["memory"])
    return (
        f"memory {facts['memory']}, {facts['kvCacheTokensPerReplica']} tokens of KV cache,"
        f" {facts['requestsOfFullLengthPerReplica']} requests of full length at once per replica (estimated)"
    )


def _color() -> str:
    return "always" if sys.stdout.isatty() else "never"
