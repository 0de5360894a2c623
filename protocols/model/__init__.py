"""What gateway and centre talk about: readings, alarms, commands, devices, manifests."""
