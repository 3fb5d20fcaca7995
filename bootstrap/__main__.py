"""Creates state bucket, key, federation and accounts. Run by a person once: `pulumi up --cwd bootstrap`."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi

# Pulumi starts the program in its own folder; the rest of the project is one above.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bootstrap.resources import Bootstrap
from bootstrap.settings import BootstrapSettings, settings_of

config = pulumi.Config()
# Keys as a stack file has them. An empty one, such as Pulumi.yaml has for those without a default, is not given.
settings = settings_of(
    {field.alias or name: config.get(field.alias or name) for name, field in BootstrapSettings.model_fields.items()}
)
bootstrap = Bootstrap(settings)
for name, value in bootstrap.variables.items():
    pulumi.export(name, value)
if bootstrap.node_account is not None:
    pulumi.export("nodeAccount", bootstrap.node_account)
