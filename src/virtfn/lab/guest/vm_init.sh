#!/bin/busybox sh
# A VM's first program: busybox, QEMU's guest agent, and its VF by igbvf with a counter of probe frames behind it.
# A shell is on the serial console.
/bin/busybox --install -s /bin
export PATH=/bin:/sbin HOME=/ TERM=vt100
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
exec >/dev/console 2>&1 </dev/console
for module in $(cat /modules/order); do
    insmod "/modules/$module.ko" || echo "vm: module $module was not loaded"
done
ip link set lo up
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
mkfifo /run/never

for port in /sys/class/virtio-ports/*; do
    [ "$(cat "$port/name")" = org.qemu.guest_agent.0 ] && qemu-ga -d -m virtio-serial -p "/dev/${port##*/}" -t /run
done

# The VF may be plugged in at any time. On a starved host the PF answers igbvf too late, which then invents a MAC
# (addr_assign_type is not 0) and never gets a carrier: the driver is loaded again.
nic() {
    nic=/sys/class/net/eth0
    ready=
    while :; do
        while [ ! -e $nic/address ]; do read -r -t 1 _ <> /run/never; done
        read -r kind < $nic/addr_assign_type
        read -r index < $nic/ifindex
        if [ "$kind" != 0 ]; then
            echo "igbvf invented the MAC $(cat $nic/address), and is loaded again"
            rmmod igbvf
            read -r -t 1 _ <> /run/never
            insmod /modules/igbvf.ko
        elif [ "$index" != "$ready" ]; then
            ready=$index
            ip link set eth0 up
            ip addr add "192.0.2.$((0x$(cut -d: -f6 $nic/address)))/24" dev eth0
            /bin/tc qdisc add dev eth0 clsact
            /bin/tc filter add dev eth0 ingress protocol 0x88b5 matchall action pass
            echo "vm: eth0 $(cat $nic/address) is up at $(cut -d' ' -f1 /proc/uptime)"
        fi
        read -r -t 1 _ <> /run/never
    done
}
nic &
while :; do setsid cttyhack sh; done
