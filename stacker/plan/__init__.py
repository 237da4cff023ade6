"""What should be done: desired + observed + now → a plan that prints itself.

Everything here is pure. No IO, no clock, no randomness, no logging: time, ids and host facts are
arguments, and the same arguments always give the same plan.
"""
