"""Candidates for a valid text in place of an invalid one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from llm_d_gke.catalog import load as load_catalog
from llm_d_gke.catalog.schema import region_of
from llm_d_gke.planning.suggest import nearest, nearest_model, nearest_place, nearest_rule
from llm_d_gke.settings.fields import Setting

_PLACES = ("location", "zones")
# A shorter word is part of too many names.
_ENOUGH_LETTERS = 5
_IMAGES = ("oci", "docker")


def text_candidates(setting: Setting, text: str) -> Iterator[str | None]:
    """Texts that `text` may mean, the most probable first. Not all of them are valid at `place`."""
    if setting.form is not None and "gs://" in setting.form and "without" not in setting.form:
        yield from _addresses(text.strip())
    # Names in headers and of resources have no accents.
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode() or text
    bare = re.sub(r"^(gs|https?|s3|oci|docker)://(huggingface\.co/)?", "", text.strip()).strip("/")
    dashed = re.sub(r"[^a-z0-9./@:-]+", "-", bare.lower()).strip("-.")
    key = str(setting.path[-1] if isinstance(setting.path[-1], str) else setting.path[-2])
    if text:
        yield from _by_key(setting, key, text)
        yield text
        yield bare
        yield text.lower()
        yield re.sub(r"\s+", "-", bare).lstrip("-")
        yield dashed
        yield re.sub(r"[\s_]+", "-", bare).upper()
        # Of a link the name comes last, of an address the host comes first.
        first, _, rest = bare.partition("/")
        yield first if "." in first or not rest else bare.rpartition("/")[2]
        yield re.sub(r"[^a-z0-9-]+", "-", dashed).strip("-")
        if any(sign.isalnum() for sign in text):
            yield re.sub(r"[^A-Za-z0-9_]+", "_", text)
        yield re.sub(r"\s*([0-9.]+)\s*([KMGT])i?[Bb]?$", r"\1\2i", text)
    if len(text) >= _ENOUGH_LETTERS and key in _PLACES:
        yield nearest_place(text, _locations(), 0.8)
    if setting.example is not None:
        yield str(setting.example)
    yield "my-name"


def _by_key(setting: Setting, key: str, text: str) -> Iterator[str | None]:
    """Texts by what the setting holds: a model, a release, a host name, a version, a path, a quantity."""
    word = text.strip()
    if setting.path[0] == "models" and key == "id":
        word = re.sub(r"^([a-z]+://)?((www\.)?(huggingface|hf)\.co/)?(models/)?", "", word)
        dashed = re.sub(r"[:_ ]+", "-", word)
        yield nearest_model(dashed, load_catalog().models, 0.75)
        # One without an organization would be refused next.
        yield word if "/" in word else f"my-organization/{dashed}"
    elif setting.path[0] == "acknowledge" and key == "id":
        yield nearest_rule(word)
    elif key == "source":
        yield re.sub(r"[@:][\w.-]+$", "", word)
    elif key == "release":
        yield nearest(word, load_catalog().releases)
    elif setting.form is not None and "begins with https://" in setting.form:
        yield "https://" + re.sub(r"^[a-z]+://", "", word)
    elif setting.path[0] == "registry":
        yield re.sub(r"^[a-z]+://|:[A-Za-z][\w.-]*$", "", word).strip("/")
    elif key in ("secretsKey", "diskKey"):
        yield re.sub(r"^//cloudkms\.googleapis\.com/|/cryptoKeyVersions/.*$", "", word)
    elif key in ("hostname", "dnsNames") and ("@" in word or "*" in word):
        # The domain of an address of mail; a star is the first part only.
        yield word.lower().rpartition("@")[2]
        yield "*." + word.lower().rpartition("*.")[2]
    elif key == "hostname":
        yield re.sub(r":[0-9]+(?=/|$)", "", re.sub(r"^[a-z]+://", "", word).lower()).partition("/")[0]
    elif key == "version":
        bare = re.sub(r"^v(?=[0-9])", "", word)
        # Of 1.30 without quotes YAML leaves 1.3, a version from before GKE.
        yield f"{bare}0" if re.fullmatch(r"1\.[1-9]", bare) else bare
    elif setting.path[-2:-1] == ("maintenanceWindow",):
        yield from _maintenance_times(str(setting.example), word)
    elif key == "topology":
        yield re.sub(r"\s*[*\u00d7,:]\s*", "x", word.lower())
    elif key == "secretManagerSecret":
        yield re.sub(r"^projects/[^/]+/secrets/|/versions/.*$", "", word)
    elif key == "reservation" and (link := re.search(r"projects/([^/]+)/zones/[^/]+/reservations/(.+)$", word)):
        yield f"projects/{link[1]}/reservations/{link[2]}"
    elif key == "nodeAccount" and "@" not in word:
        yield f"{word}@my-project.iam.gserviceaccount.com"
    elif key == "paths":
        bare = re.sub(r"^[A-Z]+ +|[?#].*$|^\^|\$$", "", word)
        bare = re.sub(r"\(?(\.[*+]|\[\^/\][*+])\)?$", "*", bare)
        yield "/" + re.sub(r"^[a-z]+://[^/]*", "", bare).strip("/ ")
    elif key == "config":
        yield from ("hub",) if word.startswith("http") else ()
    elif key == "bucket":
        yield re.sub(r"^gs://", "", word).strip("/").partition("/")[0]
    elif key == "path":
        yield re.sub(r"^gs://[^/]*/+|^(\.{1,2}/+)+", "", word)
    elif key == "cuda" and word.isdigit():
        yield f"{word}.0"
    elif key in ("existingSecret", "secretManagerSecret"):
        yield re.sub(r"/versions/.*$", "", word).rpartition("/")[2]
    elif key == "cpu" and re.fullmatch(r"[0-9]+%", word):
        yield f"{int(word[:-1]) * 10}m"
    elif key == "cpu" and (cores := re.fullmatch(r"([0-9.]+) *v?(?:cores?|cpus?)", word, re.IGNORECASE)):
        yield cores[1]
    elif key == "cpu" and re.fullmatch(r"[0-9]{3,}", word):
        # Without a unit Kubernetes reads CPUs, and no machine has hundreds for a picker: thousandths were meant.
        yield f"{word}m"
    elif key == "memory" and re.fullmatch(r"[0-9]*\.?[0-9]+", word):
        yield _memory(float(word))


def _memory(number: float) -> str:
    """Memory that a number without unit means: few are GiB, more are MiB, and millions are bytes."""
    mib = number * 1024 if number < 64 else number if number < 1 << 20 else number / (1 << 20)
    return f"{round(mib) // 1024}Gi" if round(mib) % 1024 == 0 else f"{round(mib)}Mi"


def _maintenance_times(example: str, word: str) -> Iterator[str]:
    """The example's day with the time that `word` is, or the recurrence that it names."""
    if time := re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(:00)?Z?", word):
        yield f"{example[:10]}T{int(time[1]):02}:{time[2]}:00Z"
    if word.lower() in ("daily", "weekly", "monthly"):
        yield f"FREQ={word.upper()}"
    if re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:]+[+-][0-9:]+", word):
        with suppress(ValueError):
            yield f"{datetime.fromisoformat(word).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if word.upper().startswith("RRULE:"):
        yield word.upper().removeprefix("RRULE:")
    if word.upper().startswith("BY"):
        yield f"FREQ=WEEKLY;{word.upper()}"


# Addresses of Cloud Storage in browsers and tools of HTTP, before the bucket's name or behind it.
_BUCKET_PAGE = re.compile(
    r"^https?://(?:(?:storage\.(?:googleapis|cloud\.google)\.com|console\.cloud\.google\.com/storage/browser)/"
    r"|([a-z0-9._-]+)(?:\.storage\.googleapis\.com))"
)


def _addresses(text: str) -> Iterator[str]:
    """Addresses of the same kind. Without its scheme an address would mean a Hugging Face repository."""
    scheme, separator, rest = re.sub(_BUCKET_PAGE, r"gs://\1", text).partition("://")
    if not separator or scheme not in ("gs", "s3", *_IMAGES):
        return
    if scheme in _IMAGES:
        name = re.sub(r"[^A-Za-z0-9_.:/@-]+", "-", rest.strip("/"))
        yield from (f"oci://{name}", f"oci://{name}:v1", "oci://registry.example.com/my-adapter:v1")
        return
    bucket, _, folder = rest.strip("/").partition("/")
    folder = "/".join(re.sub(r"[\s,]+", "-", part) for part in folder.split("/") if part) or "my-folder"
    names = (re.sub(r"[^a-z0-9._-]+", "-", bucket.lower()).strip("-._"),) if scheme == "gs" else ()
    yield from (f"gs://{name}/{folder}" for name in (*names, "my-bucket"))


def _locations() -> list[str]:
    """Zones and regions that the catalog has an accelerator in, regions first."""
    zones = {zone for accelerator in load_catalog().accelerators.values() for zone in accelerator.zones}
    return [*sorted({region_of(zone) for zone in zones}), *sorted(zones)]
