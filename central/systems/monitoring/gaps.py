"""Where nothing is known of a point: between samples that lie further apart than its period allows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.live.latest import STALE_PERIODS
from central.store.history import BUCKET_US, Resolution
from central.systems.monitoring.schemas_past import Gap
from protocols.model.clock import SECOND_US

MIN_GAP_US: Final = 3 * SECOND_US
"""Fast points are a little late now and then; nobody calls two seconds a gap."""


def gaps(
    time_us: NDArray[np.int64],
    quality: NDArray[np.uint32] | None,
    span: tuple[int, int],
    *,
    resolution: Resolution,
    period_s: float,
) -> list[Gap]:
    """Return the gaps within `span` (µs UTC), the ends included, in time order.

    A gap is a silence of more than three periods, the rule by which a value is stale; between buckets there
    is no shorter one than a bucket. Each tells the quality of the sample before it, the last that was
    known; None before the first sample, and for buckets, which have none.
    """
    silence = max(int(STALE_PERIODS * period_s * SECOND_US), MIN_GAP_US)
    length = 0 if resolution == "raw" else BUCKET_US[resolution]
    begins = np.concatenate(([span[0]], time_us + length))
    ends = np.concatenate((time_us, [span[1]]))
    most = np.full(len(ends), max(silence - length, 0))
    most[[0, -1]] = silence
    rows = np.flatnonzero(ends - begins > most).tolist()
    return [
        Gap(
            from_ms=int(begins[row]) // 1000,
            to_ms=int(ends[row]) // 1000,
            quality=None if quality is None or row == 0 else int(quality[row - 1]),
        )
        for row in rows
    ]
