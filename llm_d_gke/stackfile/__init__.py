"""Reads what configures a stack: `Pulumi.<stack>.yaml`, the defaults in Pulumi.yaml, and overrides of a command line.

Values are as the program gets them from Pulumi. Nothing is substituted unless a caller requests it.
"""

from llm_d_gke.stackfile.config import StackConfig
from llm_d_gke.stackfile.paths import StackFileError, put, segments
from llm_d_gke.stackfile.project import EXAMPLES, NAMESPACE, PROJECT_ROOT, project_stacks, stack_names
from llm_d_gke.stackfile.reader import load, stack_file

__all__ = [
    "EXAMPLES",
    "NAMESPACE",
    "PROJECT_ROOT",
    "StackConfig",
    "StackFileError",
    "load",
    "project_stacks",
    "put",
    "segments",
    "stack_file",
    "stack_names",
]
