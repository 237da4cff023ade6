"""The one door to the kernel: system calls by ctypes, their constants, errno as OSError.

Both programs come through here, `runtime` and `stacker` alike. No policy may live here, nothing
may be imported from the rest of the runtime, and no library may be loaded nor symbol looked up
after import: a process that has entered a container's root must not open a file of that root.
"""
