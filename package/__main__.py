"""Pulumi starts this for a program in another language; the engine's address is the argument."""

import sys
from pathlib import Path

# The package is not installed in the plugin's environment: hashes of locked packages leave no place for a folder.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from llm_d_gke.component_package.provider import main

main()
