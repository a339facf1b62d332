"""Where an engine and its journal work, as their messages name it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A host or a cloud. ``look`` shows it; ``option`` is what the journal's commands take to mean it."""

    name: str
    look: str
    option: str = ""

    def command(self, words: str) -> str:
        """A command of the journal for this place, as a person types it: ``rollback 3``, ``journal ls``."""
        return f"`virtfn {words}{self.option}`"


HOST = Place("this host", "virtfn show")


def cloud_place(os_cloud: str | None) -> Place:
    """The cloud of this name in clouds.yaml; None: the one that OS_... variables mean."""
    if os_cloud is None:
        return Place("this cloud", "virtfn cloud show", " --cloud")
    return Place(f"cloud {os_cloud}", "virtfn cloud show", f" --os-cloud {os_cloud}")
