"""Model servers: pods, arguments, startup and shutdown, and the checks of a model on its accelerator."""
