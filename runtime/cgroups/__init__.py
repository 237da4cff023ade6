"""Control groups, version 1, version 2 and hybrid: `open.open_cgroup` is the way in.

`v1/`, `v2/` and `both/` are pure: `resources -> [Write]`. Only `cgroup.py`, `apply.py`,
`freezer.py` and `devices.py` touch the kernel, `systemd/` speaks to the service of that name, and
`stats.py` and `oom.py` read. Nothing here decides a limit, and nothing outside the container's
own directories is written, except `cgroup.subtree_control` of their ancestors.
"""
