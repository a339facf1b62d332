#!/bin/busybox sh
# The guest's first program: mounts the read-only root with a writable layer over it, loads the modules and becomes
# the agent. The agent is process 1: when it dies the kernel panics, QEMU ends, and the console says why.
bb=/bin/busybox
$bb mount -t devtmpfs dev /dev
exec >/dev/console 2>&1 </dev/console
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t debugfs debug /sys/kernel/debug

load() {
    for module in $($bb cat "/lab/load-$1"); do
        $bb insmod "/lib/modules/kernel/$module.ko" || echo "virtfn-lab: module $module was not loaded"
    done
}

# A trial of the accelerator: getting this far is the proof.
$bb grep -q virtfn.trial /proc/cmdline && { echo "virtfn-lab: trial passed"; $bb poweroff -f; }

load boot
$bb mount -t squashfs -o ro /dev/vda /lower || { echo "virtfn-lab: the root image cannot be mounted"; exit 1; }
lower=/lower
systemd=
if $bb grep -q virtfn.systemd /proc/cmdline; then
    # Boot as a host does: systemd's own files over the lab's, and what is written stays on a disk.
    systemd=yes lower=/layer:/lower
    load disk
    $bb mount -t squashfs -o ro /dev/vdb /layer || { echo "virtfn-lab: systemd cannot be mounted"; exit 1; }
    $bb mount -t ext4 /dev/vdc /upper || { echo "virtfn-lab: the disk cannot be mounted"; exit 1; }
else
    $bb mount -t tmpfs -o size=75% upper /upper
    $bb grep -q virtfn.compute /proc/cmdline && {
        # A compute host: libvirt and QEMU over the lab's root, and the files of the VMs.
        lower=/vms:/layer:/lower
        $bb mount -t squashfs -o ro /dev/vdb /layer && $bb mount -t squashfs -o ro /dev/vdc /vms || {
            echo "virtfn-lab: the compute host's layers cannot be mounted"; exit 1; }
    }
fi
$bb mkdir -p /upper/data /upper/work
$bb mount -t overlay -o "lowerdir=$lower,upperdir=/upper/data,workdir=/upper/work" root /new

release=$($bb uname -r)
$bb mkdir -p /new/lib/modules /new/lab/code /new/lab/agent
$bb mount -t tmpfs modules /new/lib/modules
$bb mkdir "/new/lib/modules/$release"
$bb mv /lib/modules/kernel /lib/modules/modules.* "/new/lib/modules/$release/"
$bb mount -t tmpfs agent /new/lab/agent
$bb mv /lab/agent/* /new/lab/agent/
$bb cp /lab/load-devices /new/lab/
for place in dev proc sys; do $bb mount --move /$place /new/$place; done
$bb mount -t tmpfs run /new/run
$bb mount -t tmpfs tmp /new/tmp
$bb mkdir -p /new/dev/pts /new/dev/shm /new/run/netns
$bb mount -t devpts -o ptmxmode=666 pts /new/dev/pts
$bb mount -t tmpfs shm /new/dev/shm

[ "$systemd" ] && {
    $bb chroot /new /sbin/depmod  # libkmod reads the binary index, which only depmod makes
    exec $bb switch_root -c /dev/console /new /lib/systemd/systemd
}
echo "lab root mounted at $($bb cut -d" " -f1 /new/proc/uptime)"
exec $bb switch_root -c /dev/console /new /bin/sh -c '
    export PATH=/lab/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PYTHONSAFEPATH=1
    for module in $(cat /lab/load-devices); do
        insmod "/lib/modules/$(uname -r)/kernel/$module.ko" || echo "virtfn-lab: module $module was not loaded"
    done &
    ip link set lo up
    hostname lab
    cd /lab/agent && PYTHONPATH=/lab/agent exec python3 -m guest.agent'
