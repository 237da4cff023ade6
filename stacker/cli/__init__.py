"""The command line: argv → one or a few client calls → text. A file for each verb.

``main`` imports the verb that was asked for and nothing else; no verb imports pydantic, yaml,
textual or aiohttp (``config`` and ``check`` load a stack in-process, inside their functions).
``output`` alone writes to stdout and ``notes`` alone to stderr. Nothing is decided here.
"""
