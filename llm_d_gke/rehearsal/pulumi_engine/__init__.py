"""The Pulumi engine on this project's program: configuration, interruption, patches of the SDK.

`engine` runs operations with the `configuration` of a stack, `kubernetes_plugin` and `needed_programs`; `policy_plugin`
runs policy packs. `one_command` keeps other commands out meanwhile, `interruption` handles Ctrl-C, `patches` corrects
the SDK, `changes` says what an operation replaces, and `engine_simulation` has the estimates for simulated engines.
"""
