"""Controllers of the platform: cert-manager and the Sail operator."""
