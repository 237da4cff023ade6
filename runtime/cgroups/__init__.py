"""Control groups, version 1, version 2 and hybrid: `cgroup.open_cgroup` is the way in.

`v1/` and `v2/` are pure: `resources -> [Write]`. Only `cgroup.py`, `apply.py`, `freezer.py` and
`devices.py` touch the kernel. Nothing here decides a limit, and nothing outside the container's
own directories is written, except `cgroup.subtree_control` of their ancestors.
"""
