"""The state of the simulated Google Cloud, one JSON file for each stack.

The provider runs in the short-lived command, the simulator in a daemon: both read this file, only the
provider writes.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from llm_d_gke.rehearsal.host.files import atomic_write
from llm_d_gke.rehearsal.toolchain.targets import cache_root

# Loopback blocks 127.<n>.0.0/16 a stack may own. 127.0 belongs to the machine, low ones are popular with other tools.
BLOCKS = range(64, 127)

# Key of the bookkeeping in a record, which is no property of the resource (see `Marks`).
MARKS = "_rehearsal"

Record = dict[str, Any]


class Marks(TypedDict, total=False):
    """Bookkeeping in a record: owner, the run that created it, its arguments, and the process that still creates it."""

    urn: str
    run: str
    inputs: dict[str, Any]
    maker: int


class Cloud(TypedDict):
    """The whole file: records by type token, then by id, inputs and outputs together with the keys of the wire.

    `block` is n of the stack's loopback block 127.<n>.0.0/16, `enabled` the service APIs that stayed on in the project
    after their resource was deleted, `serials` the last number given out, by what was counted.
    """

    block: int
    resources: dict[str, dict[str, Record]]
    enabled: NotRequired[list[str]]
    serials: NotRequired[dict[str, int]]


class CloudStore:
    """Reads and writes `cloud.json`, safely between threads and processes. A reader never sees half a write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Cloud:
        """The current state. Before the first write it has no resources and block 0, which means none."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            text = ""
        if not text:
            return {"block": 0, "resources": {}}
        cloud: Cloud = json.loads(text)
        return cloud

    def resources(self, token: str) -> dict[str, Record]:
        """Records of one type by id, `{}` if there are none."""
        return self.read()["resources"].get(token, {})

    @contextmanager
    def transaction(self) -> Iterator[Cloud]:
        """Yield the state for a change. It is written at the end, unless the body raises."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _lock(self.path.with_suffix(".lock")):
            cloud = self.read()
            if not cloud["block"]:
                cloud["block"] = self._claim_block()
                self._write(cloud)
            yield cloud
            self._write(cloud)

    def _write(self, cloud: Cloud) -> None:
        cloud["resources"] = {token: records for token, records in cloud["resources"].items() if records}
        atomic_write(self.path, json.dumps(cloud, indent=1, sort_keys=True))

    def _claim_block(self) -> int:
        """Claim the lowest block that no stack of any clone has and on which no program listens.

        Claims are files beside the shared binaries and end with their store. Without them, two clones that start at the
        same moment would choose the same block, because nothing listens on it yet.
        """
        folder = cache_root()
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / "blocks.lock"):
            register = folder / "blocks.json"
            claims: dict[str, str] = json.loads(register.read_text(encoding="utf-8")) if register.exists() else {}
            claims = {block: path for block, path in claims.items() if path != str(self.path) and Path(path).exists()}
            used_blocks = _listening_blocks() | {int(block) for block in claims}
            free = next((block for block in BLOCKS if block not in used_blocks), None)
            if free is None:
                raise RuntimeError(
                    f"the blocks 127.{BLOCKS[0]} to 127.{BLOCKS[-1]} are all in use;"
                    " take a rehearsal down: make down STACK=..."
                )
            # The store must exist from now on, or another stack would regard the claim as stale.
            self.path.touch(mode=0o600)
            register.write_text(json.dumps(claims | {str(free): str(self.path)}, indent=1), encoding="utf-8")
            return free


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # released by the close, also when the process dies
        yield


def _listening_blocks() -> set[int]:
    """Blocks with an open TCP port, for example of another clone of the project."""
    blocks: set[int] = set()
    try:
        lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return blocks
    for line in lines:
        local, state = line.split()[1], line.split()[3]
        address = bytes.fromhex(local.split(":")[0])[::-1]  # little-endian
        if state == "0A" and address[0] == 127:
            blocks.add(address[1])
    return blocks
