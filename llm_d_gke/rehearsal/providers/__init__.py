"""The simulated gcp provider and what any provider needs, served from the process of the command."""
