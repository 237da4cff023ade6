"""config.json as typed records: read, checked against its grammar, then against its own sense.

Pure but for `read.py`, which reads the file. Nothing here asks the kernel or the host anything.
"""
