#!/bin/sh
# enter-root.sh ROOT [BIND...] -- COMMAND...: run a command in a root folder, as root of a machine of its own would.
# Namespaces of its own keep the mounts and the processes; both are gone when the command ends, however it ends. Each BIND is a folder
# of this machine that the command may read at the same path.
set -eu
if [ "$1" != --inside ]; then
    exec unshare --mount --propagation private --pid --fork --kill-child "$0" --inside "$@"
fi
root=$2
shift 2

mount --bind "$root" "$root" # ip -n wants / to be a mount
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --bind -o ro "$1" "$root$1"
    shift
done
shift
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount --make-shared "$root/run" # ip netns add mounts there
mkdir "$root/run/lock"
exec chroot "$root" "$@"
