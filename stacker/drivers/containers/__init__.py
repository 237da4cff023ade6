"""Processes in containers: bundle directories, the monitor's client, logs, stats, exec, attach.

``containers.Containers`` is the whole of it for the engine. What is true is read from the kernel
and the monitor's journal, never remembered across a restart; nothing here decides whether a
container should run, and no byte that a container wrote is interpreted.
"""
