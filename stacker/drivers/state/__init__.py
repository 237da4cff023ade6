"""What outlives the supervisor: declared stacks, container records, the history of events.

Files are written atomically; the history is one SQLite file. A file that cannot be read is set
aside with a warning and never stops the start. Nothing here is the truth about what runs, and no
content of a config or a secret is ever written.
"""
