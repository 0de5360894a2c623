/** From an answer of /history to what a chart draws: gaps stay gaps, bad samples become marked spans. */
import type { Series } from '@/api/types'

export interface Span {
  from: number
  to: number
  kind: 'bad' | 'uncertain'
}
export interface Drawn {
  /** [epoch ms, value or null] */
  line: [number, number | null][]
  /** [epoch ms, min, max], for rolled data only */
  band: [number, number | null, number | null][]
  spans: Span[]
  samples: number
}

const CLASS_MASK = 0xc0000000
const BUCKET_MS = { raw: 0, '1m': 60_000, '1h': 3_600_000, '1d': 86_400_000 } as const
/** A raw series is cut where no sample came for three periods: that is what stale means at the gateway. */
const PERIODS = 3.5

function qualityKind(code: number): Span['kind'] | null {
  const top = (code & CLASS_MASK) >>> 0
  if (top === 0) return null
  return top === 0x40000000 ? 'uncertain' : 'bad'
}

/** Return what to draw of `series`; `periodS` is the point's longest normal time between samples. */
export function drawn(series: Series, resolution: keyof typeof BUCKET_MS, periodS: number): Drawn {
  const gap = resolution === 'raw' ? Math.max(PERIODS * periodS * 1000, 3_000) : BUCKET_MS[resolution] * 1.5
  const out: Drawn = { line: [], band: [], spans: [], samples: series.t.length }
  let before: number | null = null
  let open: Span | null = null
  series.t.forEach((t, i) => {
    if (before !== null && t - before > gap) {
      out.line.push([before + 1, null])
      out.band.push([before + 1, null, null])
      open = null
    }
    const kind = series.quality ? qualityKind(series.quality[i] ?? 0) : null
    const value = series.value ? series.value[i] : series.avg?.[i]
    out.line.push([t, kind === 'bad' ? null : (value ?? null)])
    if (series.min && series.max) out.band.push([t, series.min[i] ?? null, series.max[i] ?? null])
    if (kind && open?.kind === kind) open.to = t
    else if (kind) {
      open = { from: before ?? t, to: t, kind }
      out.spans.push(open)
    } else open = null
    before = t
  })
  return out
}
