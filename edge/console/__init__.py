"""The technician's local page, and the control socket of the command line: one app behind two doors.

Nothing here decides about alarms, commands or settings: it shows what the house has, and hands on what a
person asks for, with the name of who asked.
"""
