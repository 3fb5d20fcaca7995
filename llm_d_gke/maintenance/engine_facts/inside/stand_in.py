"""A stand-in for a GPU: vLLM's CUDA code runs with a simulated platform, on a machine without one.

CUDA libraries that the CPU wheel lacks are modules that have every attribute and do nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Packages of the CUDA images that the CPU wheel does not have.
_ABSENT = (
    "flashinfer",
    "flashinfer_cubin",
    "flashinfer_jit_cache",
    "deep_gemm",
    "flash_mla",
    "cutlass",
    "tilelang",
    "quack",
    "tvm_ffi",
    "vllm._C_stable_libtorch",
    "vllm._moe_C",
    "vllm._moe_C_stable_libtorch",
    "vllm._qutlass_C",
    "vllm._flashmla_C",
    "vllm._flashmla_extension_C",
    "vllm.vllm_flash_attn._vllm_fa2_C",
    "vllm.vllm_flash_attn._vllm_fa3_C",
    "vllm.vllm_flash_attn.cute",
    "vllm.vllm_flash_attn.flash_attn_interface",
    "xformers",
    "vllm.third_party.deep_gemm",
    "vllm.third_party.flashmla",
)
GIB = 2**30

# The properties of the stand-in; the name and the size change between questions, the capability does not.
CARD: dict[str, Any] = {}


class NullObject:
    """Has every attribute and accepts every call, without any effect. An instance as a base class adds nothing."""

    def __init__(self, name: str = "nothing") -> None:
        self.__name__ = self.__qualname__ = name
        self.__doc__ = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return NullObject(name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        # Used as a decorator it gives back what it decorates.
        return arguments[0] if len(arguments) == 1 and callable(arguments[0]) and not options else NullObject()

    def __getitem__(self, key: Any) -> Any:
        return NullObject()

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return (object,) if len(bases) == 1 else ()

    def __or__(self, other: Any) -> Any:
        return other

    __ror__ = __or__


class AbsentModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds these packages and everything below them."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not any(name == absent or name.startswith(f"{absent}.") for absent in self.names):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return types.ModuleType(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        def attribute(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return NullObject(name)

        module.__dict__.update(__getattr__=attribute, __path__=[], __version__="99.0.0")


def _make_absent(name: str) -> None:
    loader = AbsentModules((name,))
    module = types.ModuleType(name)
    loader.exec_module(module)
    sys.modules[name] = module


def install_card(card: Mapping[str, Any]) -> None:
    """Install a stand-in of the CUDA platform. Call before importing anything of vLLM that needs the platform."""
    # Last, so that what is installed is found first.
    sys.meta_path.append(AbsentModules(_ABSENT))
    torch = importlib.import_module("torch")
    torch.version.cuda = torch.version.cuda or "13.0"
    install_operators(lambda name: "support" in name)  # those that report support
    _install_triton(card["capability"])
    package = importlib.util.find_spec("vllm.vllm_flash_attn")
    if package is None or package.origin is None:
        # A folder without code: the CPU wheel of 0.11 leaves this package of the CUDA images out, and what is in it.
        _make_absent("vllm.vllm_flash_attn")
        sys.meta_path.append(AbsentModules(("vllm.vllm_flash_attn",)))
    platforms = importlib.import_module("vllm.platforms")
    interface = importlib.import_module("vllm.platforms.interface")
    for missing in ("vllm._C", "vllm._C_stable_libtorch"):
        try:
            importlib.import_module(missing)
        except ImportError:
            # Not there, or built for a newer C++ library than this machine has.
            _make_absent(missing)
    cuda = importlib.import_module("vllm.platforms.cuda")
    major, minor = card["capability"]
    CARD.update(card)
    stand_in = type("StandIn", (cuda.CudaPlatformBase,), _platform_answers(interface, (major, minor)))
    platforms.__dict__["_current_platform"] = stand_in()
    platforms.__dict__["current_platform"] = platforms.__dict__["_current_platform"]
    torch.cuda.get_device_capability = lambda device=None: (major, minor)
    torch.cuda.current_device = lambda: 0
    for name in ("zeros", "empty"):
        # Some modules set memory of the card aside when they are imported.
        setattr(torch, name, _without_memory(getattr(torch, name)))
    torch.cuda.get_device_properties = lambda device=None: types.SimpleNamespace(
        major=major, minor=minor, total_memory=int(card["gib"] * GIB), multi_processor_count=132, name=card["title"]
    )
    _enable_libraries()


def _platform_answers(interface: Any, number: tuple[int, int]) -> dict[str, Any]:
    """What vLLM asks the platform about the card."""
    capability = interface.DeviceCapability(*number)

    def has_capability(cls: type, version: Any, device_id: int = 0) -> bool:
        required = (
            interface.DeviceCapability(*version) if isinstance(version, tuple) else _capability(interface, version)
        )
        return bool(capability >= required)

    return {
        "get_device_capability": classmethod(lambda cls, device_id=0: capability),
        "get_device_name": classmethod(lambda cls, device_id=0: CARD["title"]),
        "get_device_total_memory": classmethod(lambda cls, device_id=0: int(CARD["gib"] * GIB)),
        "get_device_uuid": classmethod(lambda cls, device_id=0: "stand-in"),
        "has_device_capability": classmethod(has_capability),
        "is_fully_connected": classmethod(lambda cls, devices: True),
        "device_count": classmethod(lambda cls: CARD.get("devices", 1)),
    }


def _enable_libraries() -> None:
    """Let vLLM find its libraries of attention."""
    with contextlib.suppress(ImportError):
        # The CUDA images have the compiled parts; whether a version is one for this card, its own functions say.
        flash_attention = importlib.import_module("vllm.vllm_flash_attn.flash_attn_interface")
        for number in (2, 3, 4):
            if hasattr(flash_attention, f"FA{number}_AVAILABLE"):
                setattr(flash_attention, f"FA{number}_AVAILABLE", True)
    with contextlib.suppress(ImportError):
        flashinfer = importlib.import_module("vllm.utils.flashinfer")
        for name in ("has_flashinfer", "has_nvidia_artifactory", "has_flashinfer_cubin"):
            if hasattr(flashinfer, name):
                setattr(flashinfer, name, lambda: True)
        # Needs the engine's whole configuration; None is the result without a forced choice.
        flashinfer.__dict__["force_use_trtllm_attention"] = lambda: None


def _without_memory(function: Callable[..., Any]) -> Callable[..., Any]:
    def on_meta_device(*sizes: Any, device: Any = None, **options: Any) -> Any:
        return function(*sizes, device="meta" if str(device).startswith("cuda") else device, **options)

    return on_meta_device


def install_operators(is_answered: Callable[[str], bool]) -> None:
    """Answer for operators of the CUDA build, which this one lacks, if their names are; each returns a truthy value."""
    namespace = importlib.import_module("torch._ops")._OpNamespace
    original = namespace.__getattr__

    def attribute(self: Any, name: str) -> Any:
        try:
            return original(self, name)
        except AttributeError:
            if not is_answered(name):
                raise
            return NullObject(name)

    namespace.__getattr__ = attribute


def _install_triton(capability: Sequence[int]) -> None:
    """Triton compiles for the card and never looks for one."""
    torch = importlib.import_module("torch")
    nvidia = importlib.import_module("triton.backends").backends["nvidia"]
    nvidia.driver.is_active = staticmethod(lambda: True)
    target = importlib.import_module("triton.backends.compiler").GPUTarget(
        "cuda", capability[0] * 10 + capability[1], 32
    )
    player = types.SimpleNamespace(
        get_current_target=lambda: target,
        get_current_device=lambda: 0,
        get_current_stream=lambda device=0: 0,
        get_active_torch_device=lambda: torch.device("cpu"),
        get_device_interface=lambda: NullObject(),
        map_python_to_cpp_type=lambda text: text,
        is_active=lambda: True,
        utils=types.SimpleNamespace(get_device_properties=lambda device: {"max_shared_mem": 2**30}),
    )
    importlib.import_module("triton.runtime.driver").driver.set_active(player)


def _capability(interface: Any, number: int) -> Any:
    return interface.DeviceCapability(number // 10, number % 10)
