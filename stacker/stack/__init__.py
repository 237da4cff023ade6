"""The Compose Specification: what a stack file means (`model`) and how it is read (`load`).

Nothing here knows how a stack is carried out: no engine, no driver, no image, no process.
"""
