"""The programs a rehearsal runs that are written in Go: found on this machine, or built once from pinned modules."""
