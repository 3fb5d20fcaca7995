"""Code for the engine's own environment, separate from the project. It calls functions of the engine.

`engine`, `interfaces`, `classes`, `options` and `fields` have the questions that need no card, `card` and `kernels`
those about one, and `command_lines` those about whole command lines. `stand_in` simulates the card, `process` asks in
a process of its own, and `modules` has what several questions share.
"""
