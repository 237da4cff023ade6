"""What a container mounts beside its image: named volumes, host paths, configs and secrets.

Contents of configs and secrets live in memory only: a tmpfs below the run directory. Paths inside
a container's file system are resolved by file descriptor, never as a string.
"""
