"""stacker keeps a declared set of containers true on one Linux host.

The ladder, high to low; a folder imports folders below it only:
cli, tui > client, daemon > wire > engine, drivers > plan, bundle > stack > oci > base.
This file imports nothing: whatever stood here, every command would pay for.
"""

__version__ = "0.1.0"
