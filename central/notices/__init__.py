"""Notices: telling people and other systems of alarms, until somebody answers or nobody needs to."""
