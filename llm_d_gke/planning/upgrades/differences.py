"""Differences between two plans, in the words of Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields

from llm_d_gke.planning.plan.pods import ContainerPlan, EnvPlan, PodPlan
from llm_d_gke.planning.plan.routing import PickerPlan
from llm_d_gke.planning.serving.extra_args import flag_of

_IN_WORDS = ("image", "args", "env", "labels", "sidecars")
_MANY = 4


def changed_fields(before: object, after: object, ignored: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the fields in which two dataclasses of one type differ."""
    names = [field.name for field in fields(after) if field.name not in ignored]  # type: ignore[arg-type]
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


def pod_changes(before: PodPlan, after: PodPlan) -> tuple[str, ...]:
    """Differences of a new pod, one phrase each: images, arguments, environment, labels, then other fields."""
    phrases = list(_container_changes(before, after))
    labels = sorted(key for key in {*before.labels, *after.labels} if before.labels.get(key) != after.labels.get(key))
    phrases += [
        f"label {key} {before.labels.get(key, '(none)')} -> {after.labels.get(key, '(none)')}" for key in labels
    ]
    old = {sidecar.container: sidecar for sidecar in before.sidecars}
    new = {sidecar.container: sidecar for sidecar in after.sidecars}
    for name in dict.fromkeys((*old, *new)):
        if name not in new or name not in old:
            phrases.append(f"sidecar {name} {'removed' if name not in new else 'added'}")
        elif old[name] != new[name]:
            phrases += [f"{name}: {phrase}" for phrase in _container_changes(old[name], new[name])]
    others = [name for name in changed_fields(before, after, _IN_WORDS) if name not in _container_fields(before, after)]
    if others:
        phrases.append(", ".join(name.replace("_", " ") for name in others))
    return tuple(phrases)


def picker_changes(before: PickerPlan, after: PickerPlan) -> tuple[str, ...]:
    """Differences of a picker, one phrase each. Annotations are ignored: they only hold the configuration's digest."""
    phrases = [phrase for phrase in pod_changes(before.pod, after.pod) if phrase != "annotations"]
    if before.config != after.config:
        phrases.append("configuration")
    others = changed_fields(before, after, ("pod", "config"))
    if others:
        phrases.append(", ".join(name.replace("_", " ") for name in others))
    return tuple(phrases)


def _container_changes(before: ContainerPlan, after: ContainerPlan) -> Iterator[str]:
    if before.image != after.image:
        yield f"image {short(before.image)} -> {short(after.image)}"
    if before.args != after.args:
        yield _listed("arguments", _arguments(before.args), _arguments(after.args))
    if before.env != after.env:
        old, new = _environment(before.env), _environment(after.env)
        names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        yield f"environment {_some(names)}"
    yield from (
        [", ".join(name.replace("_", " ") for name in others)] if (others := _container_fields(before, after)) else []
    )


def _container_fields(before: ContainerPlan, after: ContainerPlan) -> tuple[str, ...]:
    names = {field.name for field in fields(ContainerPlan)} - set(_IN_WORDS)
    return tuple(name for name in changed_fields(before, after, _IN_WORDS) if name in names)


def _arguments(args: Sequence[str]) -> list[str]:
    """Flags with their values as one word each."""
    words: list[str] = []
    for arg in args:
        if flag_of(arg) or not words or not words[-1].startswith("-") or " " in words[-1]:
            words.append(arg)
        else:
            words[-1] = f"{words[-1]} {arg}"
    return words


def _listed(what: str, before: list[str], after: list[str]) -> str:
    added = [word for word in after if word not in before]
    removed = [word for word in before if word not in after]
    words = [*(f"with {word}" for word in added), *(f"without {word}" for word in removed)]
    return f"{what}: {_some(words)}" if words else f"{what} in another order"


def _some(words: Sequence[str]) -> str:
    text = ", ".join(words[:_MANY])
    return text if len(words) <= _MANY else f"{text} and {len(words) - _MANY} more"


def _environment(env: Sequence[EnvPlan]) -> dict[str, EnvPlan]:
    return {variable.name: variable for variable in env}


def short(image: str) -> str:
    """An image without its registry and folder: `vllm-openai:v0.26.0`."""
    return image.rpartition("/")[2]
