"""Updates of the gateway's software: their parts, and the whole with real wheels and processes."""
