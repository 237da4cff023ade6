"""`linux.seccomp` of config.json as a program for the kernel: `load.py` is the way in.

`profile.py` reads the object, `compile.py` turns it into classic BPF with `assembler.py`;
`numbers.py` knows the numbers of system calls (`syscalls.json`). Only `load.py` touches files
and the kernel.
"""
