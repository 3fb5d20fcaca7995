"""Images of engines: pull access, and arguments that their entry points accept."""

from __future__ import annotations

from llm_d_gke.planning.alternatives import releases_with
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.image_names import has_mirror
from llm_d_gke.planning.plan.platform import PullSecretPlan

RED_HAT = "registry.redhat.io/"
_RHAIIS = f"{RED_HAT}rhaiis/"

# Tags that projects move by habit.
_MOVING = ("latest", "nightly", "main", "master", "dev", "stable")


def _tag(image: str) -> str | None:
    """The tag of an image, None where a digest fixes it."""
    name, _, digest = image.partition("@")
    return None if digest else name.rpartition("/")[2].partition(":")[2] or None


def check_release(ctx: PlanContext) -> None:
    """Notes that apply to every user of this release."""
    if ctx.release.caveat is not None:
        ctx.warning("LLMD-RELEASE-SUPPORT", "release", rule=ctx.release.caveat)


def check_proven(ctx: PlanContext) -> None:
    """Facts not yet compared with a source or a run."""
    if ctx.release.unproven:
        proven = [release.name for release in ctx.catalog.releases.values() if not release.unproven]
        ctx.warning("LLMD-RELEASE-UNPROVEN", "release", unproven="; ".join(ctx.release.unproven), proven=proven[0])


def check_image(ctx: PlanContext, index: int, image: str, pull_secret: PullSecretPlan | None) -> None:
    """Red Hat's images are for its customers, and start with their own entry point only."""
    mirrored = has_mirror(image, ctx.settings.registry.mirrors)
    if image.startswith(RED_HAT) and pull_secret is None and not mirrored:
        ctx.error("LLMD-REGISTRY-RED-HAT", "registry.server", image=image)
    if _tag(image) in _MOVING:
        ctx.warning("LLMD-IMAGE-MOVES", f"models[{index}].image", value=image, tag=_tag(image))
    if image.startswith(_RHAIIS) and ctx.release.engine.command:
        ctx.error(
            "LLMD-IMAGE-COMMAND",
            f"models[{index}].image",
            value=image,
            release=ctx.settings.release,
            command=" ".join(ctx.release.engine.command),
            releases=releases_with(ctx.catalog, lambda release: not release.engine.command),
        )
