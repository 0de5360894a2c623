"""New versions of the gateway's software: fetched, checked, tried, and taken back by itself if not well.

    Update order ─► signature ─► download ─► SHA-256 ─► unpacked beside the running one ─► `check` with it
        ─► written down as on trial ─► exit 75 ─► the launcher starts it
        ─► uplink and devices well in time: it stays; else, or if it dies or hangs: the one before, again

    package   what a signed wheel must be, and how it becomes a folder
    shelf     which versions lie here, which one runs, which one is on trial: one small file
    updater   the part inside the gateway: obeys the order, watches its own trial, tells what came of it
    launch    the part outside: a small process that starts the gateway and outlives every version of it

`launch` and `shelf` import nothing that is heavy: they are alive twice on a small board.
"""
