"""The Pulumi engine on this project's program: configuration, interruption, patches of the SDK."""
