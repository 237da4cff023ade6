"""What a container's process may do: capabilities, system calls, labels, resource limits.

Everything that has to be read from the host is read before the container's root is entered; what
is applied afterwards makes system calls only. Parsing and compiling is pure.
"""
