"""The supervisor's process and its socket: life, lock, signals, systemd, the HTTP server.

No logic of the domain: a handler turns a message into one call of the engine and the outcome into
a message. ``wiring.py`` alone names concrete drivers.
"""
