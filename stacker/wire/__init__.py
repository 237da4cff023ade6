"""What travels on the supervisor's socket: messages, their checked codec, the byte protocols.

No sockets, no files, no clock, no pydantic here. The command line imports this on every call, so
no module here imports ``dataclasses``, ``typing``, ``enum`` or ``inspect`` when it runs.
"""
