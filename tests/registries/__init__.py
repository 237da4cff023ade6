"""Registries for tests: Debian's real one, and one in this process whose answers can be bent.

Both serve on loopback. Nothing here is a mock of our own code: the client under test talks HTTP.
"""
