"""What crosses the link between gateway and centre: batches, paths, handshake."""
