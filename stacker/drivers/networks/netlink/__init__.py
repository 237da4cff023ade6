"""The kernel's netlink: messages as bytes, and the conversation that carries them.

Requests are built by pyroute2's message classes and sent in batches of our own. Nothing here
knows of containers or decides anything; every call blocks for the time of its system calls, so
callers run it in worker threads.
"""
