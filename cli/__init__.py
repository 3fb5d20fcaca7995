"""What every command line of the project shares: options, exit statuses, and how errors are printed."""
