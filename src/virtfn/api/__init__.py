"""The library: a host, or a cloud, as an object. Typed results, no printing; errors are those of ``virtfn.errors``.

::

    from virtfn.api import Cloud, Host

    with Host.local() as host:
        plan = host.plan(Path("host.yaml"))
        if not plan.findings:
            receipt = host.apply(plan)

    with Cloud.connect("lab") as cloud:
        plan = cloud.plan(Path("cloud.yaml"))
        receipt = cloud.apply(plan)

The end of a ``with`` block closes the object, as ``stop()`` does: what would change something then raises Interrupted.
More, with every error: docs/how-to/use-the-library.md.
"""

from virtfn.api.cloud import Cloud
from virtfn.api.host import Host
from virtfn.api.mirrors import Mirrors
from virtfn.api.specs import Spec

__all__ = ["Cloud", "Host", "Mirrors", "Spec"]
