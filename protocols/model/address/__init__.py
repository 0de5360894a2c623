"""Where a point lies on the wire: a small model for each protocol, apart from the driver and what it needs.

The centre, a simulator and an editor read a profile where no driver is installed; a gateway of Modbus devices
reads one without an OPC UA stack.
"""
