"""What runs in the engine's own environment, apart from the project: it answers questions about itself."""
