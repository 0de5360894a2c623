"""One real server per protocol; each shows a world's devices by their profiles, faults included."""
