#!/bin/sh
# make-venv.sh PYTHON FOLDER: a virtual environment of a Python >= 3.11 with pip, where there is none yet.
# Debian and Ubuntu keep venv in a package of its own: it is installed if it is missing, as root or with sudo.
set -eu
python=$1
folder=$2

fail() {
    echo "make-venv: $1" >&2
    exit 69
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Python 3.11 or newer is needed ($python is $("$python" -V 2>&1)); choose one: make setup PYTHON=/path/to/python3.12"

[ -x "$folder/bin/pip" ] && exit 0

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
    if [ "$(id -u)" = 0 ]; then root=; elif sudo -n true 2>/dev/null; then root=sudo; else
        fail "run this first: sudo apt-get install $package"
    fi
    echo "installing on this machine: $package (Python's own venv module)"
    $root apt-get -q install -y --no-install-recommends "$package" ||
        { $root apt-get -q update && $root apt-get -q install -y --no-install-recommends "$package"; } ||
        fail "run this first: apt-get install $package"
fi

echo "making the virtual environment $folder with $("$python" -V)"
"$python" -m venv "$folder"
