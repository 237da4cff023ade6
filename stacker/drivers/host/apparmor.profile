# The default AppArmor profile of stacker's containers. NAME is replaced when it is loaded.
#
# A second wall behind capabilities, seccomp and the masked paths: it still stands where a mount
# uncovers one of them, and it sees what seccomp cannot, like the family behind socketcall(2).
# Allowed is what a container does anyway; denied is what would reach the host.

profile NAME flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,

  # every family but the two that reach into the kernel's crypto code and the hypervisor
  # (CVE-2026-31431)
  network,
  deny network alg,
  deny network vsock,

  # mounts are made before this profile begins; also with CAP_SYS_ADMIN none is made or taken away
  # later, since that would uncover what is masked
  deny mount,
  deny remount,
  deny umount,
  deny pivot_root,

  # processes of containers see and trace each other, never one outside; whoever is confined by
  # nothing (the supervisor, an administrator) or is a runtime of the host may signal them
  ptrace (trace, read, tracedby, readby) peer=NAME,
  signal (send, receive) peer=NAME,
  signal (receive) peer=unconfined,
  signal (receive) peer={crun,runc,/usr/bin/crun,/usr/sbin/runc},

  # of procfs only the directories of processes are written to: their names begin with a digit, and
  # self and thread-self are links to them
  deny /proc/[^0-9]* wkl,
  deny /proc/[^0-9]*/** wkl,
  deny /proc/{kcore,sysrq-trigger} rwklx,

  # of sysfs only the cgroups
  deny /sys/[^f]* wkl,
  deny /sys/[^f]*/** wkl,
  deny /sys/f[^s]*/** wkl,
  deny /sys/fs/[^c]*/** wkl,
  deny /sys/fs/c[^g]*/** wkl,
  deny /sys/fs/cg[^r]*/** wkl,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/{security,debug,tracing}/** rwklx,
}
