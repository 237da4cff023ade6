"""The supervisor's socket from the caller's side: the one interface that cli and tui see.

``session`` finds or starts a supervisor, ``api.Supervisor`` has one method for each endpoint,
``streams`` turns bodies into events, logs and exec frames. Blocking, standard library only, and
safe to use from worker threads: each call has a connection of its own. Nothing here prints.
"""
