"""Creates state bucket, key, federation and accounts. Run by a person once: `pulumi up --cwd bootstrap`."""

from __future__ import annotations

import sys
from pathlib import Path

import pulumi

# Pulumi starts the program in its own folder; the rest of the project is one above.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bootstrap.resources import Bootstrap
from bootstrap.settings import BootstrapSettings

config = pulumi.Config()
settings = BootstrapSettings(
    project=config.require("project"),
    project_number=config.require("projectNumber"),
    location=config.get("location") or "us-central1",
    repository=config.require("repository"),
    repository_id=config.require("repositoryId"),
    environments=tuple(config.require_object("environments")),
    branch=config.get("branch") or "main",
    preview_decrypts=config.get_bool("previewDecrypts") or False,
    stack_accounts=config.get_bool("stackAccounts") or False,
    access_logs=config.get_bool("accessLogs") is not False,
)
bootstrap = Bootstrap(settings)
for name, value in bootstrap.variables.items():
    pulumi.export(name, value)
if bootstrap.node_account is not None:
    pulumi.export("nodeAccount", bootstrap.node_account)
