"""An OCI runtime with runc's command line, and the monitor that is the parent of containers.

Standard library only, synchronous, one thread. `stacker` may import `runtime.linux` and
`runtime.wire`, and nothing else of it.
"""
