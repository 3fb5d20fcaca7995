"""Memory, speed, capacity and cost of a stack."""
