"""Facts of engine images, and of the drivers that GKE's nodes have for them."""

import re
from collections.abc import Mapping

from .reading import reader
from .schema import Entry, Source
from .versions import version_numbers

# repository:v0.26.0-cu129, with a registry's port in the repository and a digest behind the tag.
_REFERENCE = re.compile(
    r"(?P<repository>.+?)(?::v?(?P<version>\d+(?:\.\d+)*)(?:-(?P<suffix>[\w.-]+))?)?(?:@sha256:\w+)?$"
)
# A version in a tag: v0.26.0-cu129, and the forms 0.26.0, v0.26 and v0.26.00 that people write.
_VERSION_TAG = re.compile(r"[vV]?(?P<version>\d+(?:\.\d+)+)(?P<rest>.*)")
# Words of tags that say nothing about an image: offloading to the processor, OpenAI's interface, a base image.
_IN_ANY_TAG = frozenset({"cpu", "openai", "nvidia"})
# Docker Hub's names, which may be left out.
_DOCKER_HUB = re.compile(r"^(index\.)?docker\.io/")


def _split(reference: str) -> tuple[str, str]:
    """Repository without Docker Hub's name, and tag or the empty text."""
    name = _DOCKER_HUB.sub("", reference.partition("@")[0])
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "")


def release_reference(reference: str) -> str | None:
    """An image of vLLM's own repository with its version as vLLM's releases tag it: v, three numbers, the suffix.

    None for other repositories, for tags without a version, and for digests, beside which a registry reads no tag.
    """
    repository, tag = _split(reference)
    match = _VERSION_TAG.fullmatch(tag)
    if repository != "vllm/vllm-openai" or "@" in reference or match is None:
        return None
    numbers = [str(int(number)) for number in match["version"].split(".")]
    numbers += ["0"] * (3 - len(numbers))
    return f"{reference.rpartition(':')[0]}:v{'.'.join(numbers)}{match['rest']}"


class ImageFacts(Entry):
    """Requirements of an image for the node it starts on. `None` is unknown."""

    since: str = "0"  # first version that this describes
    before: str | None = None  # first one that it does not
    suffix: str = ""  # of the tag, after the version
    cuda: str | None = None
    library_path: tuple[str, ...] | None = None
    finds_driver: bool | None = None  # its LD_LIBRARY_PATH names GKE's driver folder, where the whole path is not known
    own_libcuda: bool | None = None
    links: bool | None = None
    link_path: tuple[str, ...] | None = None
    entry_point: tuple[str, ...] | None = None
    user: str | None = None
    size_gib: float | None = None
    sources: tuple[str, ...]

    @property
    def cuda_major(self) -> int | None:
        return None if self.cuda is None else int(self.cuda.split(".")[0])

    def covers(self, version: tuple[int, ...], suffix: str) -> bool:
        ends = self.before is not None and version >= version_numbers(self.before)
        return suffix == self.suffix and version >= version_numbers(self.since) and not ends


class NodeDrivers(Entry):
    """Branches of NVIDIA's driver that a GKE version installs: 535 for 535.274.02. `None` is not known."""

    default: int | None = None
    latest: int | None = None


class Contents(Entry):
    """The version of vLLM in an image whose tag does not say it."""

    vllm: str
    sources: tuple[str, ...]


class Fault(Entry):
    """Versions of an image that are known not to work on some accelerators.

    `disaggregated`: only where prefill and decode run on pods of their own. `deepep`: only where ranks on several hosts
    exchange tokens with DeepEP. Without `accelerators` it is all of them. `suffix` is the beginning of the tag's.
    """

    repository: str
    suffix: str = ""
    since: str
    before: str | None = None
    accelerators: tuple[str, ...] = ()
    disaggregated: bool = False
    deepep: bool = False
    ends: bool = False  # it does not start
    instead: str | None = None  # None: another image, of `before` or newer
    what: str
    sources: tuple[str, ...]

    def covers(self, image: str, version: str) -> bool:
        """Whether an image with this version of vLLM is one of them."""
        numbers, match = version_numbers(version), _REFERENCE.match(image)
        if match is None or not match["repository"].endswith(self.repository):
            return False
        ends = self.before is not None and numbers >= version_numbers(self.before)
        return (match["suffix"] or "").startswith(self.suffix) and numbers >= version_numbers(self.since) and not ends


class ImageNames(Entry):
    """What names of published images say: what an image runs on, for which processors (Arm's: true), which engine."""

    published: Mapping[str, str]
    hardware: Mapping[str, str]
    processors: Mapping[str, bool]
    engines: Mapping[str, str]

    def hardware_of(self, reference: str) -> tuple[str | None, bool]:
        """What an image runs on as far as its name says, and whether that is certain: its publisher's own image."""
        name, tag = _split(reference)
        if name in self.published:
            return self.published[name], True
        words = {*re.split(r"[/._-]", name), *(set(re.split(r"[._-]", tag)) - _IN_ANY_TAG)}
        return next((title for word, title in self.hardware.items() if word in words), None), False

    def engine_of(self, reference: str) -> str | None:
        """Another engine whose image it is by its name."""
        name, _ = _split(reference)
        return next((title for part, title in self.engines.items() if part in f"{name}/"), None)

    def for_arm(self, reference: str) -> bool | None:
        """Whether an image is for Arm's processors alone, or for x86 alone. None where its name does not say."""
        named = {arm for word, arm in self.processors.items() if word in reference}
        return next(iter(named)) if len(named) == 1 else None


class Images(Entry):
    """The whole of images.yaml."""

    sources: Mapping[str, Source]
    cuda_drivers: Mapping[int, int]
    driver_folder: str
    gke_drivers: Mapping[str, NodeDrivers]
    images: Mapping[str, tuple[ImageFacts, ...]]
    contents: Mapping[str, Contents]
    faults: tuple[Fault, ...]
    names: ImageNames

    def vllm_in(self, reference: str) -> str | None:
        """The version of vLLM in an image: from the tag of vLLM's own images, otherwise as the catalog states."""
        if reference in self.contents:
            return self.contents[reference].vllm
        match = _REFERENCE.match(reference)
        own = match is not None and match["repository"].endswith(("vllm/vllm-openai", "vllm/vllm-tpu"))
        return match["version"] if own and match is not None else None

    def find(self, reference: str) -> ImageFacts | None:
        """Facts of an image by its reference. None where the catalog has none, or where the tag names no version."""
        match = _REFERENCE.match(reference)
        if match is None or match["version"] is None:
            return None
        # A processor's suffix names the same build.
        suffix = re.sub(r"-?(x86_64|amd64|aarch64|arm64)$", "", match["suffix"] or "")
        version = version_numbers(match["version"])
        # A mirror keeps the repository's name behind its own.
        names = (name for name in self.images if f"/{match['repository']}".endswith(f"/{name}"))
        entries = self.images.get(next(names, ""), ())
        return next((facts for facts in entries if facts.covers(version, suffix)), None)

    def minimum_driver(self, cuda_major: int) -> int | None:
        """Oldest driver branch that runs programs built with this major version of CUDA."""
        return self.cuda_drivers.get(cuda_major)

    def drivers(self, gke_version: str | None) -> NodeDrivers:
        """The driver versions of a node of this GKE version.

        None for the version is what release channels give, newer than the table. There DEFAULT is not known, and LATEST
        is at least the newest that the table has.
        """
        newest = max(self.gke_drivers, key=version_numbers)
        minor = None if gke_version is None else ".".join(gke_version.split(".")[:2])
        if minor is None or version_numbers(minor) > version_numbers(newest):
            return NodeDrivers(latest=self.gke_drivers[newest].latest)
        return self.gke_drivers.get(minor, NodeDrivers())

    def first_with(self, driver: int) -> str | None:
        """First GKE minor version whose newest driver is of this branch or a later one."""
        versions = (version for version, node in self.gke_drivers.items() if (node.latest or 0) >= driver)
        return min(versions, key=version_numbers, default=None)


load_images = reader(Images, "images.yaml")
