"""Stack files that leave a door open or close it wrongly, with the finding each gets."""

from __future__ import annotations

from tests.planning.refusals.case import Wrong

_ELSEWHERE = "projects/keys/locations/europe-west4/keyRings/llm-d/cryptoKeys/gke"
_WIDE = "projects/keys/locations/us/keyRings/llm-d/cryptoKeys/gke"

KEYS = tuple(
    Wrong(
        name=f"{setting} of another place: {key.split('/')[3]}",
        id="LLMD-KMS-LOCATION",
        changes={f"cluster.encryption.{setting}": key},
        path=f"cluster.encryption.{setting}",
        value=key,
        rule="GKE refuses a key from elsewhere",
        fix="use a key ring in us-central1",
    )
    for setting, key in (("secretsKey", _ELSEWHERE), ("diskKey", _ELSEWHERE), ("secretsKey", _WIDE))
)
