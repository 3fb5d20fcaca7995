"""Copies the files of a Hub repository to a folder, one after another: a file needs room only while it is copied.

Runs in the engine's image, which has huggingface_hub. After an interruption a run continues with the missing files.
The Hub's library reads the token from the file that HF_TOKEN_PATH names.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

# Weights in other formats beside safetensors, which vLLM does not load (vllm/model_executor/model_loader).
_OTHER_WEIGHT_FORMATS = (".bin", ".pt", ".pth", ".msgpack", ".h5", ".onnx", ".gguf")


def files_to_copy(names: Sequence[str]) -> list[str]:
    """The files that vLLM loads. The index of the weights comes last: where it is, the weights are complete."""
    safetensors = any(name.endswith(".safetensors") for name in names)
    kept_names = [
        name
        for name in names
        if not name.startswith(("original/", ".")) and not (safetensors and name.endswith(_OTHER_WEIGHT_FORMATS))
    ]
    return sorted(kept_names, key=lambda name: (name.endswith(".index.json"), name))


def copy(repository: str, revision: str, target: Path, scratch: Path) -> int:
    from huggingface_hub import HfApi, hf_hub_download

    info = HfApi().model_info(repository, revision=revision or None, files_metadata=True)
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    for name in files_to_copy(list(sizes)):
        destination = target / name
        if destination.is_file() and destination.stat().st_size == sizes[name]:
            print(f"{name} is there", flush=True)
            continue
        path = Path(hf_hub_download(repository, name, revision=info.sha, local_dir=scratch))
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, destination)
        path.unlink()
        print(f"{name} copied", flush=True)
    print(f"{repository} at commit {info.sha} is complete", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(copy(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])))
