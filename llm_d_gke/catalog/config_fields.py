"""Fields of a config.json under any of their names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .errors import ConfigError

# Beyond any model there is: a slip of the keyboard, and a reason not to count that far.
_MAXIMUM = {"num_hidden_layers": 1000, "num_attention_heads": 4096, "num_key_value_heads": 4096, "head_dim": 4096}


class Fields:
    """Fields of a configuration under any of their names. What has to be there and is not is a ConfigError."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def number(self, *names: str, default: int | None = None) -> int:
        for name in names:
            value = self.config.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                if not 0 <= value <= _MAXIMUM.get(name, 10**8):
                    raise ConfigError(f"{name} is {value}", wrong=True)
                return value
            if isinstance(value, str | bool | float):
                written = json.dumps(value)
                raise ConfigError(f"{name} is {written}, and must be a whole number", wrong=True)
        if default is None:
            raise ConfigError(f"there is no number under {' or '.join(names)}")
        return default

    def optional(self, *names: str) -> int | None:
        present = [name for name in names if self.config.get(name) is not None]
        return self.number(*present) if present else None

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.config.get(name)
        return default if value is None else bool(value)

    def texts(self, name: str) -> list[str]:
        value = self.config.get(name)
        return [str(item) for item in value] if isinstance(value, list) else []

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self.config.get(name)
        return value if isinstance(value, Mapping) else {}
