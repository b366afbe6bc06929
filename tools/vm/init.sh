#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# First process of the guest (vmtest.sh), run by busybox: mounts the host's files under a writable overlay, runs /command
# there and reports its exit status on the third serial port.
/bin/busybox mount -t proc proc /proc # from here on busybox finds its own applets
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
stty -F /dev/ttyS1 raw -echo
stty -F /dev/ttyS2 raw -echo

finish() {
  stty -F /dev/ttyS1 raw # waits until the output is out
  echo "status $1" >/dev/ttyS2
  sync
  reboot -f # QEMU runs with -no-reboot
}

for module in virtio_pci 9pnet_virtio 9p overlay; do modprobe "$module" 2>/dev/null; done
options=trans=virtio,version=9p2000.L,msize=524288,ro,cache=loose
mount -t 9p -o "$options" host /host || finish no-9p
mount -t 9p -o "$options" modules /lib/modules || finish no-9p
modprobe tun # makes /dev/net/tun; there is no udev here
mount -t tmpfs -o size=75% tmpfs /rw
mkdir /rw/upper /rw/work
mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work overlay /new || finish no-overlay

cd /new || finish no-root
mkdir -p proc sys dev run
mount -t devtmpfs devtmpfs dev
mkdir -p dev/pts dev/shm
mount -t devpts devpts dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount -t sysfs sysfs sys
ln -sf /proc/self/fd dev/fd
ln -sf fd/0 dev/stdin
ln -sf fd/1 dev/stdout
ln -sf fd/2 dev/stderr
mkdir -p run/netns
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t bpf bpf sys/fs/bpf
mount -t securityfs securityfs sys/kernel/security
mount -t debugfs debugfs sys/kernel/debug
mount -t tracefs tracefs sys/kernel/tracing
ip link set lo up
hostname guest
# shellcheck disable=SC3045 # busybox has it
ulimit -l unlimited
cp /command run/.command
mkdir -p "lib/modules/$(uname -r)"
mount --bind "/lib/modules/$(uname -r)" "lib/modules/$(uname -r)"
setsid chroot /new /bin/bash /run/.command </dev/null >/dev/ttyS1 2>&1
finish $?
