"""The shared language of gateway, centre and simulators: model, wire and field drivers."""
