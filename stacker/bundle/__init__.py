"""A service, an image's config and host facts → the OCI `config.json`: `spec.build_spec`.

Everything here is pure: no IO, no clock, no randomness, no logging. What an image says reaches
the result through the documented fields of its config only: no label, annotation or variable of
an image changes isolation, hooks or host paths.
"""
