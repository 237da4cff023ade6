"""systemd as the manager of cgroups: a container is a transient scope, asked for over D-Bus.

`marshal`, `message`, `address` and `properties` are pure: D-Bus as bytes, and what
`linux.resources` means as properties of a unit. `bus` holds the socket, `manager` the few methods
of org.freedesktop.systemd1 that are called, `scope` the cgroup that `cgroups.open` gives out.
"""
