"""The simulated gcp provider and what any provider needs, served from the process of the command.

`base` is the protocol of Pulumi providers, `requests` and `properties` its values, and `gcp` the provider.
"""
