/** What is known of a point's quality over time, as segments: nothing, bad, in part bad, uncertain. */
import type { History, Series } from '@/api/types'

export interface Segment {
  from: number
  to: number
  kind: 'gap' | 'bad' | 'part' | 'uncertain'
  quality?: number | null
}
export type Resolution = History['resolution']
export const BUCKET_MS: Record<Resolution, number> = { raw: 0, '1m': 60_000, '1h': 3_600_000, '1d': 86_400_000 }
const CLASS_MASK = 0xc0000000

export function kindOf(code: number): 'bad' | 'uncertain' | null {
  const top = (code & CLASS_MASK) >>> 0
  return top === 0 ? null : top === 0x40000000 ? 'uncertain' : 'bad'
}

function conditionAt(series: Series, i: number): Segment['kind'] | null {
  if (series.quality) return kindOf(series.quality[i] ?? 0)
  if (!series.bad?.[i]) return null
  return series.n?.[i] ? 'part' : 'bad'
}

/** Return the segments of a series in time order; what is good has none. */
export function segments(series: Series, resolution: Resolution, periodS: number): Segment[] {
  const length = BUCKET_MS[resolution] || periodS * 1000
  const out: Segment[] = (series.gaps ?? []).map((gap) => ({ from: gap.from_ms, to: gap.to_ms, kind: 'gap', quality: gap.quality }))
  let open: Segment | null = null
  series.t.forEach((t, i) => {
    const kind = conditionAt(series, i)
    if (kind && open?.kind === kind && t - open.to <= length) open.to = t + length
    else if (kind) out.push((open = { from: t, to: t + length, kind }))
    else open = null
  })
  return out.sort((a, b) => a.from - b.from)
}

/** What a series says at a moment: its row, or the segment in which nothing is known; null before the first. */
export function rowAt(series: Series, resolution: Resolution, moment: number): { row: number } | { gap: Segment } | null {
  const gap = (series.gaps ?? []).find((item) => moment > item.from_ms && moment < item.to_ms)
  if (gap) return { gap: { from: gap.from_ms, to: gap.to_ms, kind: 'gap', quality: gap.quality } }
  let low = 0
  let high = series.t.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((series.t[middle] ?? 0) <= moment) low = middle + 1
    else high = middle
  }
  const row = low - 1
  const t = series.t[row]
  if (t === undefined || (resolution !== 'raw' && moment >= t + BUCKET_MS[resolution])) return null
  return { row }
}

export interface Line {
  line: [number, number | null][]
  low: [number, number | null][]
  reach: [number, number | null][]
}

/** Return what to draw, moved by `shift` ms; gaps and bad samples are holes in the line. */
export function lines(series: Series, shift = 0): Line {
  const out: Line = { line: [], low: [], reach: [] }
  const holes = new Set((series.gaps ?? []).map((gap) => gap.to_ms))
  series.t.forEach((raw, i) => {
    const t = raw + shift
    if (i && holes.has(raw)) {
      out.line.push([t - 1, null])
      out.low.push([t - 1, null])
      out.reach.push([t - 1, null])
    }
    const bad = series.quality && kindOf(series.quality[i] ?? 0) === 'bad'
    out.line.push([t, bad ? null : ((series.value ? series.value[i] : series.avg?.[i]) ?? null)])
    const low = series.min?.[i] ?? null
    const high = series.max?.[i] ?? null
    if (series.min) {
      out.low.push([t, low])
      out.reach.push([t, low === null || high === null ? null : high - low])
    }
  })
  return out
}
