"""Tools besides `pulumi up`: reports, checks, measurements, and generators of reference pages."""
