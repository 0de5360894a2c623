"""What the operator's machines ask: `/healthz` and `/metrics`, open to named networks and without sign-in."""
