"""Whether a running stack does what its plan promises: one check for each success criterion."""
