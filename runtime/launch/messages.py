"""The protocol between the parent and the processes it makes: one table, free of sockets.

    stage between  MAP      ->  parent         it has a user namespace; write its id maps
    parent         MAPPED   ->  stage between  they are written
    stage between  CHILD    ->  parent         {pid} of the init it forked, then it exits
    parent         GO       ->  init           recorded (and, with a user namespace, in its cgroup)
    init           MOUNTED  ->  parent         the file system stands; the root is not entered yet
    parent         HOOKED   ->  init           prestart and createRuntime hooks have run
    init           LISTENER ->  parent         {number} that its seccomp listener is about to have
    parent         CONNECTED -> init           the agent is there: load the filter
    parent         HANDED   ->  init           the agent has the listener
    init           READY    ->  parent         all is set; create: waits for `start`, exec: executes
    any of them    WARNING  ->  parent         {text}; goes on
    any of them    FAULT    ->  parent         {text, exit_code}; it has given up

Only `create` and `run` have MOUNTED and HOOKED; only a filter with SCMP_ACT_NOTIFY has the three
about the listener. A closed channel means that the other one is dead; in `exec` it means after
READY that the program has been executed.
"""

from __future__ import annotations

MAP = "map"
MAPPED = "mapped"
CHILD = "child"
GO = "go"
MOUNTED = "mounted"
HOOKED = "hooked"
LISTENER = "listener"
CONNECTED = "connected"
HANDED = "handed"
READY = "ready"
WARNING = "warning"
FAULT = "fault"

LARGEST = 65536
