"""Code for the engine's own environment, separate from the project. It calls functions of the engine."""
