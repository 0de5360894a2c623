/** Alarms that changed, together: at once when few change, once a second in a storm, which nobody can read faster. */
import { onScopeDispose } from 'vue'
import type { Alarm } from '@/api/types'
import { useLive } from './feed'

const GATHER_MS = 50
const FEW = 10
const STORM_MS = 1_000

/** Call `handler` with what changed, in the order in which it came; the same alarm may be told more than once. */
export function useAlarmNews(handler: (changed: readonly Alarm[]) => void): void {
  let waiting: Alarm[] = []
  let pause = GATHER_MS
  let toldAt = 0
  let timer = 0

  function tell(): void {
    const changed = waiting
    waiting = []
    timer = 0
    toldAt = performance.now()
    pause = changed.length > FEW ? STORM_MS : GATHER_MS
    handler(changed)
  }
  useLive('alarm', (alarm) => {
    waiting.push(alarm)
    // A timer and not a frame: a page in the background has no frames, and would gather all night.
    timer ||= window.setTimeout(tell, Math.max(GATHER_MS, toldAt + pause - performance.now()))
  })
  onScopeDispose(() => window.clearTimeout(timer))
}
