"""`citynerve-edge launch`."""

from __future__ import annotations

import os
import sys

from edge.cli.terminal import GatewayFile


def launch(file: GatewayFile) -> None:
    """Run the gateway so that its software can be updated, and an update be taken back that is not well.

    What a service manager starts. The same as `run` where no update is under way.

    Example: citynerve-edge launch /etc/citynerve-edge/gateway.yaml
    """
    # A process of its own: the launcher stays beside the gateway, and must hold no more than it needs.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "edge.updates.launch", str(file)])  # noqa: S606
