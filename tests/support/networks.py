"""Test hosts with networks of their own: network namespaces, connected by a switch.

The namespaces have no names, so the kernel removes them with the last process that holds them,
however that ends.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")

HERE = "/proc/thread-self/ns/net"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Host:
    """A network namespace, which this process holds until `close`.

    Attributes:
        path: path of the namespace, valid in every process of this machine.
        command: command line prefix that executes a program on this host.
    """

    def __init__(self) -> None:
        """Create a namespace with only a loopback interface.

        Raises:
            OSError: this process lacks the permission, or a program is missing.
        """
        self._fd = _elsewhere(_unshare, lambda: os.open(HERE, os.O_RDONLY))
        self.path = f"/proc/{os.getpid()}/fd/{self._fd}"
        self.command = ("nsenter", f"--net={self.path}")
        try:
            self.run("ip", "link", "set", "lo", "up")
        except OSError:
            self.close()
            raise

    def run(self, *command: str) -> str:
        """Run a program on this host and return its output.

        Raises:
            OSError: the program failed or is missing.
        """
        done = subprocess.run(
            [*self.command, *command], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def listener(self, address: str) -> socket.socket:
        """Return a socket of this process that listens on this host, on a free port."""

        def listen() -> socket.socket:
            listening = socket.socket()
            listening.bind((address, 0))
            listening.listen(256)
            listening.setblocking(False)
            return listening

        return _elsewhere(lambda: _enter(self._fd), listen)

    def close(self) -> None:
        """Release the namespace."""
        os.close(self._fd)


class Networks:
    """Hosts for a master, its workers and their target, each on the networks `control` and `load`.

    Attributes:
        hosts: the hosts by name.
    """

    def __init__(self, *workers: str) -> None:
        """Create the hosts and connect them.

        Raises:
            OSError: this machine or this user cannot create them.
        """
        self.hosts: dict[str, Host] = {}
        self._switch = Host()
        try:
            for network in ("control", "load"):
                self._switch.run("ip", "link", "add", network, "type", "bridge")
                self._switch.run("ip", "link", "set", network, "up")
            for name in ("target", "master", *workers):
                self.hosts[name] = Host()
                self._wire(name, "load")
                self._wire(name, "control")
        except OSError:
            self.close()
            raise

    def address(self, name: str, network: str) -> str:
        """Return the address of a host on a network."""
        return f"10.{['control', 'load'].index(network)}.0.{[*self.hosts].index(name) + 1}"

    def cut(self, worker: str) -> None:
        """Silently drop all packets between the master and this worker."""
        self._switch.run("ip", "link", "set", f"{worker}-control", "nomaster")

    def heal(self, worker: str) -> None:
        """Undo `cut`."""
        self._switch.run("ip", "link", "set", f"{worker}-control", "master", "control")

    def reset(self, worker: str) -> bool:
        """End the connection between this worker and the master at both ends, as a reset does.

        Returns False if there was none, or if this machine cannot end it.
        """
        ends = ((worker, "master"), ("master", worker))
        command = ("ss", "--no-header", "--kill", "dst")
        return all(
            [self.hosts[one].run(*command, self.address(other, "control")) for one, other in ends]
        )

    def close(self) -> None:
        """Release all hosts."""
        for host in (*self.hosts.values(), self._switch):
            host.close()

    def _wire(self, name: str, network: str) -> None:
        host, port = self.hosts[name], f"{name}-{network}"
        host.run(
            "ip",
            "link",
            "add",
            network,
            "type",
            "veth",
            "peer",
            "name",
            port,
            "netns",
            self._switch.path,
        )
        host.run("ip", "addr", "add", f"{self.address(name, network)}/24", "dev", network)
        host.run("ip", "link", "set", network, "up")
        self._switch.run("ip", "link", "set", port, "master", network, "up")


def _elsewhere(go: Callable[[], None], make: Callable[[], Made]) -> Made:
    """Run `make` on another host and come back; a socket stays in the namespace it was made in."""
    home = os.open(HERE, os.O_RDONLY)
    try:
        go()
        return make()
    finally:
        _enter(home)
        os.close(home)


def _unshare() -> None:
    if _libc.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot make a network namespace")


def _enter(fd: int) -> None:
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "cannot enter a network namespace")
