"""The GPU driver version of the node pool, and the environment variables by which an engine image finds the driver."""

from __future__ import annotations

from llm_d_gke.catalog.engine_tables import is_later, versions
from llm_d_gke.catalog.images import ImageFacts, Images, NodeDrivers, load_images, release_reference
from llm_d_gke.catalog.versions import reaches
from llm_d_gke.planning.context import PlanContext
from llm_d_gke.planning.gke_versions import INFERENCE_GATEWAY_SINCE
from llm_d_gke.settings.models import ModelSettings


def image_of(ctx: PlanContext, settings: ModelSettings) -> str:
    """The image of a model's servers: its own, or the release's for the accelerator."""
    return settings.image or ctx.engine_image.image


def facts_of(ctx: PlanContext, settings: ModelSettings) -> ImageFacts | None:
    """Facts about a model's image: those of the stack file, then those of the catalog."""
    facts = load_images().find(image_of(ctx, settings))
    stated = settings.image_facts
    if stated is None:
        return facts
    own = {
        "cuda": stated.cuda,
        "library_path": stated.library_path,
        "links": stated.links,
    }
    base = facts or ImageFacts(sources=())
    return base.model_copy(update={name: value for name, value in own.items() if value is not None})


def library_environment(ctx: PlanContext, settings: ModelSettings) -> dict[str, str]:
    """Variables by which a GPU image finds the node's driver. GKE mounts it, and no container toolkit registers it.

    LD_LIBRARY_PATH is for programs that load libcuda, LIBRARY_PATH for the code that the engine compiles and links. The
    image's own paths follow the driver's folder: the kubelet sets a variable as a whole, and cannot add to one.
    """
    facts = facts_of(ctx, settings) if ctx.accelerator.kind == "gpu" else None
    if facts is None:
        return {}
    folder = load_images().driver_folder
    values = {}
    if facts.library_path is not None:
        values["LD_LIBRARY_PATH"] = _joined(folder, facts.library_path)
    elif facts.finds_driver is False:
        values["LD_LIBRARY_PATH"] = folder
    if facts.links:
        values["LIBRARY_PATH"] = _joined(folder, facts.link_path or ())
    return values


def driver_version(ctx: PlanContext) -> str | None:
    """The GPU driver version that GKE installs on the pool: as set, otherwise GKE's default if it is new enough."""
    if ctx.accelerator.kind != "gpu":
        return None
    if ctx.settings.accelerator.driver_version is not None:
        return ctx.settings.accelerator.driver_version.upper()
    needed, drivers = _minimum_driver(ctx), _drivers(ctx)
    if needed is None or drivers.default is None or drivers.default < needed:
        return "LATEST"
    return "DEFAULT"


def check_engine_images(ctx: PlanContext) -> None:
    """Findings where image and node do not meet, and where too little is known to say."""
    if ctx.accelerator.kind != "gpu":
        if ctx.settings.accelerator.driver_version is not None:
            ctx.warning("LLMD-DRIVER-TPU", "accelerator.driverVersion")
        return
    _check_known(ctx)
    _check_driver(ctx)


def _check_known(ctx: PlanContext) -> None:
    """One warning for each image with unknown facts."""
    reported: set[str] = set()
    for index, settings in enumerate(ctx.settings.models):
        image, facts = image_of(ctx, settings), facts_of(ctx, settings)
        missing = _missing(facts)
        # Facts would not make an image for other hardware run: LLMD-IMAGE-KIND is about it.
        if not missing or _other_hardware(ctx, settings)[0] is not None or image in reported:
            continue
        reported.add(image)
        unknown = "the catalog does not have it" if facts is None else "the catalog lacks some of its facts"
        ctx.warning(
            "LLMD-IMAGE-UNKNOWN",
            f"models[{index}].imageFacts",
            value="(missing)",
            image=image,
            unknown=unknown,
            missing=", ".join(missing),
            known_image=_known_image(ctx),
        )


def _missing(facts: ImageFacts | None) -> list[str]:
    """Possible needs of an image with unknown facts."""
    if facts is None:
        return [
            "its CUDA version, which decides on the node's driver",
            "whether it finds the driver where GKE mounts it",
        ]
    missing = []
    if facts.cuda is None:
        missing.append("its CUDA version, which decides on the node's driver")
    elif facts.cuda_major not in load_images().cuda_drivers:
        missing.append(f"which driver CUDA {facts.cuda} needs")
    if facts.library_path is None and facts.finds_driver is None:
        missing.append("whether it finds the driver where GKE mounts it")
    return missing


def _known_image(ctx: PlanContext) -> str:
    """The default release's image, unless that is the one in question."""
    images = [release.engine.gpu.image for release in ctx.catalog.releases.values()]
    return next((image for image in images if not _missing(load_images().find(image))), images[0])


def _check_driver(ctx: PlanContext) -> None:
    images, drivers, needed = load_images(), _drivers(ctx), _minimum_driver(ctx)
    version = ctx.settings.cluster.gke_version
    # A version below that of the Inference Gateway is refused for every image.
    if needed is None or (version is not None and not reaches(version, INFERENCE_GATEWAY_SINCE)):
        return
    index = _most_demanding(ctx, images)
    image = image_of(ctx, ctx.settings.models[index])
    cuda = facts_of(ctx, ctx.settings.models[index])
    reason = f"{image} is built with CUDA {cuda.cuda if cuda else '?'} and needs driver {needed} or newer"
    driver_version = ctx.settings.accelerator.driver_version
    newest = drivers.latest is not None and drivers.latest < needed
    installed = drivers.default if driver_version == "default" else drivers.latest
    if installed is not None and installed < needed:
        ctx.error(
            "LLMD-DRIVER-OLD",
            *(ctx.settings.cluster.version_path if newest else ("accelerator", "driverVersion")),
            value=version if newest else driver_version,
            reason=reason,
            minor=_minor(ctx),
            installed=installed,
            fix=f"use {f'GKE {images.first_with(needed)} or newer' if newest else 'latest, remove driverVersion'}, or "
            f"{_older_cuda(ctx, installed)}",
        )
    elif driver_version == "default" and installed is None:
        ctx.warning(
            "LLMD-DRIVER-UNKNOWN", "accelerator.driverVersion", value="default", reason=reason, minor=_minor(ctx)
        )


def _older_cuda(ctx: PlanContext, driver: int) -> str:
    """Releases whose image runs with this driver."""
    images = load_images()
    releases = []
    for release in ctx.catalog.releases.values():
        facts = images.find(release.engine.gpu.image)
        needed = images.minimum_driver(facts.cuda_major) if facts is not None and facts.cuda_major is not None else None
        if needed is not None and needed <= driver:
            releases.append(release.name)
    return f"a release with an older CUDA ({', '.join(releases)})" if releases else "an image with an older CUDA"


def _minimum_driver(ctx: PlanContext) -> int | None:
    """Oldest driver branch that all models' images run with; None where one of them is not known."""
    images = load_images()
    needed = [_needed(ctx, settings, images) for settings in ctx.settings.models]
    return None if not needed or None in needed else max(driver for driver in needed if driver is not None)


def _most_demanding(ctx: PlanContext, images: Images) -> int:
    needed = [_needed(ctx, settings, images) or 0 for settings in ctx.settings.models]
    return needed.index(max(needed))


def _needed(ctx: PlanContext, settings: ModelSettings, images: Images) -> int | None:
    facts = facts_of(ctx, settings)
    return images.minimum_driver(facts.cuda_major) if facts is not None and facts.cuda_major is not None else None


def _drivers(ctx: PlanContext) -> NodeDrivers:
    return load_images().drivers(ctx.settings.cluster.gke_version)


def _minor(ctx: PlanContext) -> str:
    version = ctx.settings.cluster.gke_version
    return "its release channel" if version is None else ".".join(version.split(".")[:2])


def _joined(first: str, others: tuple[str, ...]) -> str:
    return ":".join(dict.fromkeys((first, *others)))


def check_image_kinds(ctx: PlanContext) -> None:
    """Findings about images that by their names do not serve a model on this accelerator with vLLM's command line.

    An image of its publisher for other hardware cannot. Of any other its name is all that is known.
    """
    names = load_images().names
    for index, settings in enumerate(ctx.settings.models):
        if settings.image is None:
            continue
        own, engine, for_arm = _own_hardware(ctx), names.engine_of(settings.image), names.for_arm(settings.image)
        hardware, certain = _other_hardware(ctx, settings)
        if hardware is None and for_arm is not None and for_arm != ctx.machine.arm:
            hardware, own = (
                ("x86 processors", f"Arm hosts ({ctx.machine.name}, arm64)")
                if ctx.machine.arm
                else ("Arm processors", "x86 hosts (amd64)")
            )
        if engine is None and hardware is None:
            continue
        ctx.add_finding(
            "LLMD-IMAGE-KIND",
            f"models[{index}].image",
            certain=certain,
            case="engine" if engine is not None else "published" if certain else "hardware",
            image=ctx.engine_image.image,
            own=own,
            engine=engine,
            hardware=hardware,
        )


def check_image_versions(ctx: PlanContext) -> None:
    """Findings about tags that vLLM does not publish, and about versions of vLLM newer than the catalog."""
    for index, settings in enumerate(ctx.settings.models):
        if settings.image is None:
            continue
        published, version = release_reference(settings.image), load_images().vllm_in(settings.image)
        if published is not None and published != settings.image:
            tag = published.rpartition(":")[2]
            ctx.error("LLMD-IMAGE-VERSION", f"models[{index}].image", tag=tag, published=published)
        elif version is not None and is_later(version):
            ctx.warning(
                "LLMD-IMAGE-NEWER",
                f"models[{index}].image",
                version=version,
                newest=versions()[-1],
                image=ctx.engine_image.image,
            )


def _own_hardware(ctx: PlanContext) -> str:
    return "TPUs" if ctx.accelerator.kind == "tpu" else "NVIDIA GPUs"


def _other_hardware(ctx: PlanContext, settings: ModelSettings) -> tuple[str | None, bool]:
    """Hardware of another kind that the image's name says, and whether that is certain."""
    hardware, certain = load_images().names.hardware_of(image_of(ctx, settings))
    return (None, False) if hardware in (None, _own_hardware(ctx)) else (hardware, certain)
