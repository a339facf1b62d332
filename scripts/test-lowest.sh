#!/bin/sh
# test-lowest.sh PYTHON [OPTION...]: the unit tests with the lowest versions of the dependencies that pyproject.toml
# allows. They are in constraints-lowest.txt, and are installed into an environment of their own in virtfn's cache.
set -eu
python=$1
shift
folder=${XDG_CACHE_HOME:-$HOME/.cache}/virtfn/lowest
key=$({ "$python" -VV && cat constraints-lowest.txt; } | sha256sum)

if [ "$(cat "$folder/.installed" 2>/dev/null)" != "$key" ]; then
    echo "installing the lowest versions of the dependencies into $folder (versions: constraints-lowest.txt)"
    rm -rf "$folder"
    "$python" -m venv "$folder"
    # The file names everything, so nothing is resolved.
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps -r constraints-lowest.txt
    echo "$key" >"$folder/.installed"
fi

echo "unit tests with the lowest versions of the dependencies"
PYTHONPATH=$PWD/src exec timeout 600 "$folder/bin/python" -m pytest -q "$@" tests/unit
