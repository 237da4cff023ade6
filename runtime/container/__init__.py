"""What is known of a container between two commands: its directory, its state, its process.

Nothing here starts a process or changes one, but for sending a signal; nothing is remembered that
the kernel can be asked.
"""
