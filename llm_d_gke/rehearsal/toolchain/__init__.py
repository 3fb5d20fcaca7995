"""The programs a rehearsal runs that are written in Go: found on this machine, or built once from pinned modules.

`targets` lists the programs, `build` builds them by `go`. `pickers` and `plugins` find those that need not be built.
"""
