"""The VMs of a compute host: libvirt starts them with a VF each, and their guest agents answer for them.

``python3 -m virtfn.lab.guest.vms counters`` prints what each running VM has counted (JSON).
"""

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILES = Path("/lab/compute")
_LIBVIRT_S = 120.0
_VIRSH_S = 240.0
_BOOT_S = 600.0
_NIC_S = 240.0
_PROGRAM_S = 60.0
_AGENT_S = 10
_VM_MB = 160
_CMDLINE = (
    "console=ttyS0 panic=-1 quiet nokaslr mitigations=off no_timer_check audit=0 random.trust_cpu=on tsc=reliable "
    "8250.nr_uarts=1 pci=noearly"
)
"""``noearly``: an AMD processor's early look for AGP bridges takes 8 to 18 s on an emulated host."""
_INVENTED = "igbvf invented"
"""What vm_init.sh writes to the console where it had to load igbvf again."""
_KVM = {"svm": ("kvm_amd", ("vgif=0", "vls=0")), "vmx": ("kvm_intel", ())}
"""By processor flag. Without these settings of kvm_amd, emulated SVM ends a VM by a triple fault now and then."""
_DOMAIN = """\
<domain type='kvm'>
  <name>{name}</name>
  <memory unit='MiB'>{memory_mb}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{files}/kernel</kernel>
    <initrd>{files}/initramfs</initrd>
    <cmdline>{cmdline}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='host-passthrough'/>
  <devices>
    <controller type='usb' model='none'/>
    <serial type='pty'><log file='/var/log/{name}.log'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <memballoon model='none'/>
  </devices>
</domain>
"""
_INTERFACE = """\
<interface type='hostdev' managed='yes'>
  <mac address='{mac}'/>
  <source><address type='pci' domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/></source>
</interface>
"""


class VmFailure(Exception):
    """A VM or libvirt did not do what it should, with the reason."""


def create(vms: list[dict[str, Any]]) -> None:
    """KVM and vfio loaded, libvirt started, the VMs running without their VFs. Raises VmFailure.

    The snapshot is taken after it: a VF that a driver has is dead when the snapshot is restored.
    """
    if not vms:
        return
    _load_modules()
    _start_libvirt()
    for vm in vms:
        virsh(f"define {_described(vm['name'], domain_xml(vm))}", f"start {vm['name']}")
    _wait_until("the VMs' guest agents answer", lambda: _unanswered(vms), _BOOT_S)


def bind(vms: list[dict[str, Any]]) -> Iterator[str]:
    """Every VM with its VF (``vf_pci``), its MAC the one that libvirt set; yields what had to be done twice.

    Raises VmFailure.
    """
    if not vms:
        return
    for vm in vms:
        interface = _described(f"{vm['name']}-vf", interface_xml(vm))
        virsh(f"attach-device {vm['name']} {interface} --live --config")
    try:
        _wait_until("the VMs have their MACs", lambda: _without_nic(vms), _NIC_S)
    except VmFailure as failed:
        late = _without_nic(vms)
        yield f"{failed}; started again: {', '.join(late)}"
        for name in late:
            virsh(f"destroy {name}", f"start {name}")
        _wait_until("the VMs have their MACs", lambda: _without_nic(vms), _NIC_S)
    for vm in vms:
        lines = Path(f"/var/log/{vm['name']}.log").read_text(errors="replace").splitlines()
        yield from (f"{vm['name']}: {line.strip()}" for line in lines if _INVENTED in line)


def _described(name: str, xml: str) -> str:
    path = Path("/run", f"{name}.xml")
    path.write_text(xml)
    return str(path)


def _wait_until(what: str, missing: Callable[[], list[str]], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while found := missing():
        if time.monotonic() > end:
            raise VmFailure(f"{what}: not within {timeout_s:g} s; missing: {', '.join(found)}")
        time.sleep(0.5)


def _unanswered(vms: list[dict[str, Any]]) -> list[str]:
    try:
        ask_agents(*(AgentCommand(vm["name"], "guest-ping") for vm in vms))
    except VmFailure:
        return [vm["name"] for vm in vms]
    return []


def _without_nic(vms: list[dict[str, Any]]) -> list[str]:
    """The VMs whose NIC does not have the MAC that libvirt set, or no address yet."""
    try:
        nics = _nics([vm["name"] for vm in vms])
    except VmFailure:
        return [vm["name"] for vm in vms]
    good = {name for name, nic in nics.items() if nic.get("ip-addresses")}
    return [vm["name"] for vm in vms if vm["name"] not in good or nics[vm["name"]]["hardware-address"] != vm["mac"]]


def domain_xml(vm: dict[str, Any]) -> str:
    """libvirt's description of a VM without its VF."""
    return _DOMAIN.format(name=vm["name"], memory_mb=_VM_MB, files=_FILES, cmdline=_CMDLINE)


def interface_xml(vm: dict[str, Any]) -> str:
    """libvirt's description of a VM's NIC: the VF at its PCI address."""
    domain, bus, rest = vm["vf_pci"].split(":")
    slot, function = rest.split(".")
    return _INTERFACE.format(mac=vm["mac"], domain=domain, bus=bus, slot=slot, function=function)


def virsh(*commands: str) -> str:
    """Run commands in one virsh and return what they printed. Raises VmFailure with its words."""
    words = "; ".join(commands)
    try:
        done = subprocess.run(
            ["virsh", "-q", "-c", "qemu:///system", words],
            capture_output=True, text=True, timeout=_VIRSH_S, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "LANG": "C"},
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise VmFailure(f"virsh {words} did not end within {_VIRSH_S:g} s") from late
    if done.returncode or "error:" in done.stderr:
        raise VmFailure(f"virsh {words}: {done.stderr.strip()}")
    return str(done.stdout)


@dataclass(frozen=True)
class AgentCommand:
    """One command for the guest agent in a VM (qemu-ga's QAPI schema)."""

    vm: str
    command: str
    arguments: dict[str, object] | None = None

    def render(self) -> str:
        """As a command of virsh."""
        body = {"execute": self.command} | ({"arguments": self.arguments} if self.arguments else {})
        return f"qemu-agent-command --timeout {_AGENT_S} {self.vm} '{json.dumps(body)}'"


def ask_agents(*requests: AgentCommand) -> list[Any]:
    """The answers, in order. One virsh asks all, because its start takes longer than its work. Raises VmFailure."""
    lines = [line for line in virsh(*(one.render() for one in requests)).splitlines() if line]
    if len(lines) != len(requests):
        raise VmFailure(f"{len(requests)} guest agents were asked, {len(lines)} answered")
    return [json.loads(line)["return"] for line in lines]


def run_in_vms(vms: Sequence[str], *argv: str) -> list[str]:
    """Run a program in each VM and return its output, also where the program failed. Raises VmFailure."""
    program: dict[str, object] = {"path": argv[0], "arg": list(argv[1:]), "capture-output": True}
    pids = [answer["pid"] for answer in ask_agents(*(AgentCommand(vm, "guest-exec", program) for vm in vms))]
    states: list[Any] = []

    def running() -> list[str]:
        asked = (AgentCommand(vm, "guest-exec-status", {"pid": pid}) for vm, pid in zip(vms, pids, strict=True))
        states[:] = ask_agents(*asked)  # the agent forgets a program once it has reported its end
        return [vm for vm, state in zip(vms, states, strict=True) if not state["exited"]]

    _wait_until(f"{argv[0]} ended", running, _PROGRAM_S)
    return [base64.b64decode(state.get("out-data", "")).decode(errors="replace") for state in states]


def counters() -> dict[str, dict[str, object]]:
    """For every running VM with a NIC: its MAC now, probe frames that arrived, the driver's count of all frames."""
    nics = _nics(virsh("list --name").split())
    listings = run_in_vms(list(nics), "/bin/tc", "-s", "-j", "filter", "show", "dev", "eth0", "ingress")
    return {
        vm: {"mac": nic["hardware-address"], "probes": probe_count(json.loads(listing)),
             "rx_packets": nic["statistics"]["rx-packets"]}
        for (vm, nic), listing in zip(nics.items(), listings, strict=True)
    }  # fmt: skip


def _nics(vms: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The VMs' NICs, as their guest agents report them."""
    answers = ask_agents(*(AgentCommand(vm, "guest-network-get-interfaces") for vm in vms))
    found = {vm: [nic for nic in answer if nic["name"] == "eth0"] for vm, answer in zip(vms, answers, strict=True)}
    return {vm: nics[0] for vm, nics in found.items() if nics}


def probe_count(filters: list[dict[str, Any]]) -> int:
    """Frames that the filters' actions have seen, out of ``tc -s -j filter show``."""
    actions = [action for one in filters for action in one.get("options", {}).get("actions", [])]
    return sum(int(action["stats"]["packets"]) for action in actions)


def _load_modules() -> None:
    flags = Path("/proc/cpuinfo").read_text().split()
    settings = {name: words for flag, (name, words) in _KVM.items() if flag in flags}
    every = {name for name, _ in _KVM.values()}
    for name in (_FILES / "modules/order").read_text().split():
        if name not in every or name in settings:
            _insmod(name, settings.get(name, ()))
    if not Path("/dev/kvm").exists():
        raise VmFailure("the host's processor has neither SVM nor VMX: no VM can run")


def _insmod(name: str, words: tuple[str, ...]) -> None:
    if Path(f"/sys/module/{name}").exists():
        return
    command = ["busybox", "insmod", str(_FILES / f"modules/{name}.ko"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VmFailure(f"module {name}: {done.stderr.strip()}")


def _start_libvirt() -> None:
    for folder in ("/run/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt/qemu"):
        Path(folder).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["libvirtd", "-d"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise VmFailure(f"libvirtd: {done.stderr.strip()}")
    end = time.monotonic() + _LIBVIRT_S
    while True:
        try:
            virsh("version")
        except VmFailure:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return


if __name__ == "__main__":
    print(json.dumps({"counters": counters}[sys.argv[1]]()))  # noqa: T201
