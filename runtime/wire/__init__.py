"""What the supervisor and the monitor say to each other, and how logs are laid out in files.

Pure: bytes in, values out. No socket, file or clock here; both sides, and readers of logs in
clients, import it.
"""
