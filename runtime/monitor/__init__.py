"""The monitor: parent of the containers, holder of their output, writer of their ends.

One small process for each state root, with one thread and one loop. Here nobody looks at a byte
that a container wrote, enters a namespace, imports anything once the loop runs, or touches a file
system other than those of the run directory and of the logs.
"""
