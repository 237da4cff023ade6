"""The words of the Open Container Initiative, pure: bytes in, values out, and back.

No IO, no clock, no randomness. Everything that is parsed here comes from a stranger: sizes are
bounded, keys are unique, types are checked, and whatever is wrong is `Corrupt` (or `Invalid`, when
a user wrote it).
"""
