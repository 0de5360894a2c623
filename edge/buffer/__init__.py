"""The gateway's memory: what was recorded and is not yet safe at the centre."""
