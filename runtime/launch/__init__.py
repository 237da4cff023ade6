"""How a process becomes a container, from the inside out: `init.py` is the list of steps.

Three processes take part. The parent (the command) plans and waits; the stage between makes the
namespaces and forks once more, because a pid namespace holds only the children of who made it; the
init takes the steps and executes the program. After the root is entered nothing may be imported,
looked up or loaded (`guard.py` sees to it), so everything is imported at the top of each file.
"""
