"""The conductor: observe → plan → execute, for each stack, for as long as the supervisor lives.

It decides nothing (that is ``stacker.plan``) and knows no concrete driver: what it needs of the
world are the Protocols in ``ports.py``, and ``daemon/wiring.py`` hands it real ones.
"""
