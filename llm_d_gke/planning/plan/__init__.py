"""The plan of a stack: frozen values that components create and reports print.

Every string that ends in a manifest is already here, so a plan can be printed, compared and tested without Pulumi.
Units are in the names: `gib` and `mib` are binary, money is US dollars.
"""
