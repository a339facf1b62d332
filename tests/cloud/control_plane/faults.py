"""What goes wrong with the control plane itself."""

from virtfn.errors import ExitCode, VirtfnError


class ControlPlaneError(VirtfnError):
    """The control plane could not be installed, started, asked or stopped; a dead service's last words are in it."""

    exit_code = ExitCode.UNREACHABLE
