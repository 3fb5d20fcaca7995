"""Kills the engine at random moments of `up` and `destroy`, and checks that the next `destroy` leaves nothing."""
