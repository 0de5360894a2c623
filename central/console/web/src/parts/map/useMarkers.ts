/** The devices' places and marks, kept right: asked again soon after an alarm, and now and then for what grows stale. */
import { onScopeDispose, type ShallowRef, shallowRef, watch } from 'vue'
import { api } from '@/api/client'
import type { MapDevices, MapMarks } from '@/api/types'
import { onReload, useLive } from '@/live/feed'
import { Markers } from './markers'

const SOON_MS = 1_200
const SELDOM_MS = 20_000

export interface LiveMarkers {
  markers: ShallowRef<Markers | null>
  /** The newest answer, for what is offline. */
  marks: ShallowRef<MapMarks | null>
  /** Other devices than before. */
  onReplaced: (act: (markers: Markers) => void) => void
  /** The same devices; these rows look different. */
  onChanged: (act: (rows: number[]) => void) => void
}

/** `wanted` says whether anybody looks; nothing is asked before. */
export function useMarkers(wanted: () => boolean = () => true): LiveMarkers {
  const markers = shallowRef<Markers | null>(null)
  const marks = shallowRef<MapMarks | null>(null)
  const replaced: ((markers: Markers) => void)[] = []
  const changed: ((rows: number[]) => void)[] = []
  let waiting = 0
  let asking = false
  let over = false

  async function refresh(): Promise<void> {
    if (asking || over || !wanted()) return
    asking = true
    try {
      const now = await api.get<MapMarks>('/map/marks')
      let held = markers.value
      const others = held?.version !== now.version
      if (!held || others) held = new Markers(await api.get<MapDevices>('/map/devices'))
      const rows = held.apply(now)
      if (over) return
      marks.value = now
      markers.value = held
      if (others) for (const act of replaced) act(held)
      else if (rows.length) for (const act of changed) act(rows)
    } catch {
      // The centre is away: the page says so above, and the next turn asks again.
    } finally {
      asking = false
    }
  }
  function soon(): void {
    if (waiting) return
    waiting = window.setTimeout(() => {
      waiting = 0
      void refresh()
    }, SOON_MS) // alarms come in showers: one question for all of them
  }

  useLive('alarm', soon)
  useLive('gateway', soon)
  onReload(soon)
  watch(wanted, () => void refresh(), { immediate: true })
  const seldom = window.setInterval(() => void refresh(), SELDOM_MS)
  onScopeDispose(() => {
    over = true
    window.clearInterval(seldom)
    window.clearTimeout(waiting)
  })
  return { markers, marks, onReplaced: (act) => void replaced.push(act), onChanged: (act) => void changed.push(act) }
}
