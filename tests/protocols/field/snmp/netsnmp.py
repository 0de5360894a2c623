"""net-snmp's snmpd, the agent inside most network equipment, as a process of its own: v1, v2c and v3.

Where it is not installed its tests are skipped; .ci/run installs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.protocols.field.udp import free_udp_port

PROGRAM = shutil.which("snmpd") or shutil.which("snmpd", path="/usr/sbin:/usr/local/sbin")
USER, AUTH, PRIV = "gateway", "correct horse", "battery staple"
ROOT = "1.3.6.1.4.1.55555.1"
OBJECTS = f"""
override -rw {ROOT}.1.0 integer -205
override -rw {ROOT}.2.0 octet_str "PUMP-1"
override {ROOT}.3.0 uinteger 9
override {ROOT}.4.0 octet_str "2.5"
override -rw {ROOT}.5.0 integer 1
override {ROOT}.6.0 octet_str " "
override {ROOT}.7.1 integer 725
"""


class NetSnmp:
    """An agent whose objects and users stand in its folder; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_udp_port()
        self._process: subprocess.Popen[bytes] | None = None
        for name, word in (("community", "public"), ("write", "private"), ("auth", AUTH), ("priv", PRIV)):
            (folder / name).write_text(f"{word}\n")
        (folder / "agent.conf").write_text(
            f"agentaddress udp:127.0.0.1:{self.port}\nrocommunity public\nrwcommunity private\n"
            f'createUser {USER} SHA-256 "{AUTH}" AES "{PRIV}"\nrwuser {USER} authpriv\n{OBJECTS}'
        )

    def start(self) -> None:
        """Start it; who asks has to wait until it answers."""
        # Without its MIB files it starts in milliseconds, and complains of nothing.
        environment = {**os.environ, "MIBS": "", "SNMP_PERSISTENT_DIR": str(self.folder)}
        self._process = subprocess.Popen(
            [str(PROGRAM), "-f", "-Lf", str(self.folder / "log"), "-C", "-c", str(self.folder / "agent.conf"),
             "-p", str(self.folder / "pid"), "-I", "-smux,mteTrigger,mteTriggerConf"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self) -> None:
        """Kill it, as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)
            self._process = None

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return a driver's settings for version 2c."""
        files = {"community_file": self.folder / "community", "write_community_file": self.folder / "write"}
        return {"host": "127.0.0.1", "port": self.port, **files, **more}

    def third(self, **more: Any) -> dict[str, Any]:
        """Return a driver's settings for version 3, authenticated and encrypted."""
        files = {"auth_file": self.folder / "auth", "priv_file": self.folder / "priv"}
        return {"host": "127.0.0.1", "port": self.port, "version": "3", "username": USER, **files, **more}
