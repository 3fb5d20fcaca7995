"""How a replica is divided over accelerators and hosts."""
