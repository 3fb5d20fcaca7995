"""Modules of the Pulumi SDKs without the evaluation of their annotations, which is most of the time of their import.

`pulumi_gcp.compute` has thousands of classes. Python before 3.14 evaluates the type of each property while it imports
them, and the SDK looks at a few. They are compiled as if they began with `from __future__ import annotations`, so that
an annotation is a text until `typing.get_type_hints` reads it, which is how the SDK does. What was compiled so is kept
beside what Python keeps.
"""

from __future__ import annotations
import __future__

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import cache_from_source
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

_PACKAGES: Final = ("pulumi_gcp.", "pulumi_kubernetes.")
_FLAG: Final = __future__.annotations.compiler_flag
_NAME: Final = "annotations"


class _Loader(SourceFileLoader):
    """Compiles a module with annotations as texts, into a file of its own in the cache."""

    def source_to_code(self, data: Any, path: Any, *, _optimization: int = -1) -> CodeType:  # type: ignore[override]
        code: CodeType = compile(data, path, "exec", flags=_FLAG, dont_inherit=True, optimize=_optimization)
        return code

    def get_data(self, path: str) -> bytes:
        return super().get_data(self._own(path))

    def set_data(self, path: str, data: Any, **options: Any) -> None:
        super().set_data(self._own(path), data, **options)

    def _own(self, path: str) -> str:
        return path if path == self.path else cache_from_source(self.path, optimization=_NAME)


class _Finder:
    """Finds modules of the SDKs. Where nothing compiled can be kept, Python's own way is quicker."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name.startswith(_PACKAGES) else None
        if spec is None or not isinstance(spec.loader, SourceFileLoader) or not _is_kept(spec.loader.path):
            return None
        spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def _is_kept(source: str) -> bool:
    if Path(cache_from_source(source, optimization=_NAME)).exists():
        return True
    return not sys.dont_write_bytecode and os.access(Path(source).parent, os.W_OK)


def leave_annotations_unread() -> None:
    """Let modules of the SDKs imported from now on keep annotations as texts. Again, it changes nothing."""
    if sys.version_info < (3, 14) and _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
