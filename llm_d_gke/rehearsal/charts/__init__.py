"""Charts without a network: packed from the Go modules of the projects that publish them, served to Helm locally."""
