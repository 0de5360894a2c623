/** History of a point as uPlot wants it: columns over seconds, nulls in the gaps, spans that are not good. */
import type { History, QualityClass } from '@/api/types'

export type Column = (number | null)[]
export interface Drawn {
  /** Seconds since 1970, then mean, lowest and highest of each bucket. */
  columns: [number[], Column, Column, Column]
  spans: { from: number; to: number; tone: 'uncertain' | 'bad' }[]
}

/** The class of an OPC UA status code: its top two bits. */
export function classOf(quality: number): QualityClass {
  const top = quality >>> 30
  return top === 0 ? 'good' : top === 1 ? 'uncertain' : 'bad'
}

/** A value that stays within its deadband is kept once a minute: only a longer silence is a gap. */
const HEARTBEAT_S = 60

/** Draw a gap where the silence is longer than the heartbeat, two periods, and three usual distances. */
export function draw(history: History, periodS: number): Drawn {
  const steps = history.t.slice(1).map((t, i) => (t - (history.t[i] ?? t)) / 1e6)
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? periodS
  const longest = Math.max(3 * usual, 1.25 * HEARTBEAT_S + 2 * periodS)
  const columns: Drawn['columns'] = [[], [], [], []]
  const spans: Drawn['spans'] = []
  let before: number | null = null
  history.t.forEach((us, i) => {
    const at = us / 1e6
    if (before !== null && at - before > longest) {
      columns[0].push((before + at) / 2)
      for (const column of columns.slice(1) as Column[]) column.push(null)
    }
    const tone = classOf(history.quality[i] ?? 0)
    const value = history.value[i] ?? null
    columns[0].push(at)
    columns[1].push(tone === 'bad' ? null : value)
    columns[2].push(tone === 'bad' ? null : (history.min[i] ?? value))
    columns[3].push(tone === 'bad' ? null : (history.max[i] ?? value))
    if (tone !== 'good') {
      const last = spans.at(-1)
      const from = before !== null && at - before <= longest ? before : at
      if (last?.tone === tone && from <= last.to) last.to = at
      else spans.push({ from, to: at, tone })
    }
    before = at
  })
  return { columns, spans }
}
