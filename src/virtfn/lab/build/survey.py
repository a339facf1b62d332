"""Run by the Python that the guest will have: prints where it is and which files its packages consist of (JSON).

It is given the names of the wanted packages and follows their requirements; what is not installed is left out.
"""

import importlib.metadata
import json
import re
import sys
import sysconfig

_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def requirements(names: list[str]) -> dict[str, importlib.metadata.Distribution]:
    """The installed packages among ``names`` and all that these need, by normalised name."""
    found: dict[str, importlib.metadata.Distribution] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for requirement in found[name].requires or []:
            match = _NAME.match(requirement)
            if match and "extra ==" not in requirement.replace("extra==", "extra =="):
                waiting.append(match.group())
    return found


def package(name: str, distribution: importlib.metadata.Distribution) -> dict[str, object]:
    """One package: its version and its files as [name below site-packages, where it is now]."""
    files = [(str(file), str(distribution.locate_file(file))) for file in distribution.files or []]
    inside = [pair for pair in files if not pair[0].startswith("..") and not pair[0].endswith(".pyc")]
    return {"name": name, "version": distribution.version, "files": inside}


def main() -> None:
    """Print the survey."""
    base = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix})
    survey = {
        "version": ".".join(map(str, sys.version_info[:3])),
        "program": getattr(sys, "_base_executable", None) or sys.executable,
        "stdlib": base["stdlib"],
        "platstdlib": base["platstdlib"],
        "packages": [package(name, found) for name, found in sorted(requirements(sys.argv[1:]).items())],
    }
    json.dump(survey, sys.stdout)


if __name__ == "__main__":
    main()
