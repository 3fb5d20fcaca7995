"""What the stand-in for Google Cloud holds, as one JSON file per stack.

The provider lives in the short-lived command-line process, the machine room in a daemon: both read this file, only the
provider writes.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from rehearsal.host.files import atomic_write
from rehearsal.toolchain.targets import cache_root

# Loopback blocks 127.<n>.0.0/16 a stack may own. 127.0 belongs to the machine, low ones are popular with other tools.
BLOCKS = range(64, 127)

# The stand-in's own bookkeeping inside a record, no property of the resource (see `Marks`).
MARKS = "_rehearsal"

Record = dict[str, Any]


class Marks(TypedDict, total=False):
    """Bookkeeping in a record: whose it is, which run made it, which process is still at it (absent once made)."""

    urn: str
    run: str
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
    """Reads and writes `cloud.json`. Safe between threads and between processes; a reader never sees half a write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Cloud:
        """The cloud as it is now. One that was never written has no resources, and block 0: none chosen yet."""
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
        """The cloud for one change, written back at the end, and left as it was if the body raises."""
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
        """The lowest block that no stack of any clone has claimed and on which nothing listens.

        Claims stand beside the shared binaries; one ends with the store that made it. Two clones that start at the same
        moment would otherwise choose the same: nothing listens on either yet.
        """
        folder = cache_root()
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(folder / "blocks.lock"):
            register = folder / "blocks.json"
            claims: dict[str, str] = json.loads(register.read_text(encoding="utf-8")) if register.exists() else {}
            claims = {block: path for block, path in claims.items() if path != str(self.path) and Path(path).exists()}
            taken = _listening_blocks() | {int(block) for block in claims}
            free = next((block for block in BLOCKS if block not in taken), None)
            if free is None:
                raise RuntimeError(
                    f"the blocks 127.{BLOCKS[0]} to 127.{BLOCKS[-1]} are all in use;"
                    " take a rehearsal down: make down STACK=..."
                )
            # The store has to exist from now on, or the next one to look would take the claim for dead.
            self.path.touch(mode=0o600)
            register.write_text(json.dumps(claims | {str(free): str(self.path)}, indent=1), encoding="utf-8")
            return free


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # let go by the close, also when the process dies
        yield


def _listening_blocks() -> set[int]:
    """Blocks with an open TCP port: another clone of the project may rehearse on this machine too."""
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
