"""A real OpenStack control plane for tests, as plain processes on loopback; ``cloud.ControlPlane`` is the way in.

The launcher needs Python's standard library only. What runs inside OpenStack's own virtual environment is
``fake_compute`` and ``sriov_agent``; nothing else here imports them.
"""
