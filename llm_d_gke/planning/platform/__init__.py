"""Controllers installed by Helm charts, certificates, and image checks."""
