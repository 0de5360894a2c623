/** The lamp of a clock (时限灯): green up to 80 % of the limit, yellow up to it, red past it. */
import type { Case } from '@/api/types'

export type Lamp = 'green' | 'yellow' | 'red' | 'off'
const WARN_SHARE = 0.8

/** Return the lamp and the seconds left (negative: late) of a case at `nowMs`. */
export function lampOf(item: Pick<Case, 'opened_at' | 'due_at' | 'closed_at' | 'overdue' | 'state'>, nowMs: number): { lamp: Lamp; leftS: number; share: number } {
  const start = Date.parse(item.opened_at)
  const due = Date.parse(item.due_at)
  const at = item.closed_at ? Date.parse(item.closed_at) : nowMs
  const share = due > start ? (at - start) / (due - start) : 1
  const leftS = (due - at) / 1000
  if (item.state === 'VOIDED') return { lamp: 'off', leftS, share }
  if (leftS < 0) return { lamp: 'red', leftS, share }
  if (item.closed_at) return { lamp: 'off', leftS, share }
  return { lamp: share > WARN_SHARE ? 'yellow' : 'green', leftS, share }
}
