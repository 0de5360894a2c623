"""Counters that answer a line of text with a line of text, as a distribution of its own.

Asked `name/3`, a station answers `name/3=41.5`; asked `name/3=7`, it sets slot 3 first. Where it will not,
it answers `name/3!why`.
"""
