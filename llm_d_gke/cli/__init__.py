"""Common parts of the project's command lines: options, exit statuses, and the format of errors."""
