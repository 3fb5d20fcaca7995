"""Rules of an organization for llm-d stacks, without any dependency on how they are run."""
