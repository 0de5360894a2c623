"""How long readings stay: classes, the plan of a day, Parquet before deletion, and the way back.

classes    which class a point has, and how many days each class stays
plan       what is due, as data; nothing is touched
keeper     does it: archives, thins, drops, once over all centres
parquet    a class of a day as one file; archive: the files, their digests, a day put back
"""
