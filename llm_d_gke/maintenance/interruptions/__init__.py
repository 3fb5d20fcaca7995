"""Kills the engine at random moments of `up` and `destroy`, and checks that the next `destroy` leaves nothing.

`run` brings up, kills and destroys, `moments` chooses when, and `remains` looks for what is left.
"""
