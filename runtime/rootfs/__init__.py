"""The container's file system: mounts, devices, masks, and the step into it.

Every path inside the container is resolved once, by `resolve.py`, to a file descriptor that cannot
lie outside of the root; mounts and nodes are then made on descriptors. No path of the container is
ever handed to the kernel as a string. Runs in the container's mount namespace, before the pivot.
"""
