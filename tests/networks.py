"""Hosts of a test with a network of their own: network namespaces, wired together by a switch.

They have no names: they are gone with the last process that holds them, whatever ends it.
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
    """A network namespace, held by this process until closed.

    Attributes:
        path: of the namespace, for all processes of this machine.
        command: becomes, on this host, the program that is named behind it.
    """

    def __init__(self) -> None:
        """Make one that has nothing but its loopback.

        Raises:
            OSError: this process may not, or a program that it takes is not there.
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
        """Run a program on it and return what it prints.

        Raises:
            OSError: it failed, or is not there.
        """
        done = subprocess.run(
            [*self.command, *command], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def listener(self, address: str) -> socket.socket:
        """Return a socket of this process that listens there, on a free port."""

        def listen() -> socket.socket:
            listening = socket.socket()
            listening.bind((address, 0))
            listening.listen(256)
            listening.setblocking(False)
            return listening

        return _elsewhere(lambda: _enter(self._fd), listen)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


class Networks:
    """A master, workers and their target, each on two networks: `control` and `load`.

    Attributes:
        hosts: by name.
    """

    def __init__(self, *workers: str) -> None:
        """Make the hosts and the wires between them.

        Raises:
            OSError: this machine or this user cannot.
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
        """Return the address of a host on one of the networks."""
        return f"10.{['control', 'load'].index(network)}.0.{[*self.hosts].index(name) + 1}"

    def cut(self, worker: str) -> None:
        """Drop, in silence, all that the master and this worker send each other."""
        self._switch.run("ip", "link", "set", f"{worker}-control", "nomaster")

    def heal(self, worker: str) -> None:
        """Let them reach each other again."""
        self._switch.run("ip", "link", "set", f"{worker}-control", "master", "control")

    def reset(self, worker: str) -> bool:
        """End the connection of this worker and the master at both ends, as a reset does.

        Returns:
            Whether there was one, and this machine could end it.
        """
        ends = ((worker, "master"), ("master", worker))
        command = ("ss", "--no-header", "--kill", "dst")
        return all(
            [self.hosts[one].run(*command, self.address(other, "control")) for one, other in ends]
        )

    def close(self) -> None:
        """Take all of it away."""
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
    """Return what is made on another host, and come back: a socket stays where it was made."""
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
