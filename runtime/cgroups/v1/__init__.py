"""What the `linux.resources` of a container mean in files of cgroup version 1.

Pure: no file is read or written here. One module per controller, each with one `plan`.
"""
