"""Controllers whose files are the same in cgroup versions 1 and 2.

Pure: no file is read or written here. One module per controller, each with one `plan`.
"""
