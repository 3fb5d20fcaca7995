"""What upstream's sources say against a release of the catalog: flags, plugins, labels, variables."""
