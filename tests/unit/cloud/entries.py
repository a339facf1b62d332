"""A clouds.yaml of entries that nobody connects to."""

from collections.abc import Mapping
from pathlib import Path

import pytest


def write_clouds_yaml(folder: Path, monkeypatch: pytest.MonkeyPatch, projects: Mapping[str, str]) -> None:
    """One entry for each name, with its project; the SDK finds it by OS_CLIENT_CONFIG_FILE."""
    entries = "".join(
        f"""  {name}:
    region_name: one
    auth: {{auth_url: 'http://keystone.invalid:5000/v3', username: u, password: p, project_name: {project}}}
"""
        for name, project in projects.items()
    )
    path = folder / "clouds.yaml"
    path.write_text(f"clouds:\n{entries}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
