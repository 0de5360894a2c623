/** Up to 50,000 alarms in memory, in the order of the list, kept right by the feed; drawn only where one looks. */
import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import { ApiError, api, type Query } from '@/api/client'
import type { Alarm, Page } from '@/api/types'
import { useAlarmNews } from '@/live/alarmNews'
import { onReload, serverNow, useLive } from '@/live/feed'
import type { Sort } from './filter'

const MOST = 50_000
const FIRST = 200
const NEXT = 1_000
const RELOAD_MS = 10_000

export interface RowsOptions {
  query: () => Query
  sort: () => Sort
  fits: (alarm: Alarm, now: number) => boolean
}

export function useRows(options: RowsOptions) {
  const rows = new Map<string, Alarm>()
  let order: string[] = []
  const list = shallowRef<readonly string[]>([])
  const version = ref(0)
  const loading = ref(true)
  const complete = ref(false)
  const error = shallowRef<ApiError | null>(null)
  let abort: AbortController | null = null
  let loadedAt = 0
  let later = 0

  function before(a: Alarm, b: Alarm): boolean {
    if (options.sort() === 'newest') return a.raised_at === b.raised_at ? a.id > b.id : a.raised_at > b.raised_at
    if (a.priority !== b.priority) return a.priority < b.priority
    return a.raised_at === b.raised_at ? a.id < b.id : a.raised_at < b.raised_at
  }
  /** Where an alarm stands, or would stand; times of one form compare as text. */
  function place(alarm: Alarm): number {
    let low = 0
    let high = order.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = rows.get(order[middle] ?? '')
      if (other && before(other, alarm)) low = middle + 1
      else high = middle
    }
    return low
  }
  function take(id: string): void {
    const known = rows.get(id)
    if (!known) return
    const at = place(known)
    if (order[at] === id) order.splice(at, 1)
    else order = order.filter((other) => other !== id)
    rows.delete(id)
  }
  function put(alarm: Alarm): void {
    const known = rows.get(alarm.id)
    if (known && known.raised_at === alarm.raised_at && known.priority === alarm.priority) {
      rows.set(alarm.id, alarm)
      return
    }
    if (known) take(alarm.id)
    const at = place(alarm)
    rows.set(alarm.id, alarm)
    order.splice(at, 0, alarm.id)
  }
  function show(): void {
    list.value = order
    version.value++
  }
  useAlarmNews((changed) => {
    const now = serverNow()
    for (const alarm of new Map(changed.map((one) => [one.id, one])).values()) {
      if (options.fits(alarm, now)) {
        // Beyond what is loaded, older ones come with their page.
        if (complete.value || rows.has(alarm.id) || place(alarm) < order.length) put(alarm)
      } else take(alarm.id)
    }
    show()
  })

  async function load(): Promise<void> {
    abort?.abort()
    const mine = (abort = new AbortController())
    loading.value = true
    complete.value = false
    loadedAt = Date.now()
    const seen = new Set<string>()
    let cursor: string | null = null
    try {
      do {
        const page: Page<Alarm> = await api.get<Page<Alarm>>('/alarms', { ...options.query(), sort: options.sort(), limit: cursor ? NEXT : FIRST, cursor }, mine.signal)
        if (mine.signal.aborted) return
        if (cursor === null) {
          rows.clear()
          order = []
        }
        for (const alarm of page.items) {
          if (seen.has(alarm.id) || rows.has(alarm.id)) continue
          seen.add(alarm.id)
          const last = rows.get(order.at(-1) ?? '')
          if (!last || before(last, alarm)) {
            rows.set(alarm.id, alarm)
            order.push(alarm.id)
          } else put(alarm)
        }
        cursor = page.next_cursor ?? null
        error.value = null
        loading.value = false
        show()
        if (cursor) await new Promise((resolve) => setTimeout(resolve, 60))
      } while (cursor && order.length < MOST)
      complete.value = cursor === null
      show()
    } catch (cause) {
      if (!mine.signal.aborted) error.value = cause as ApiError
    } finally {
      if (!mine.signal.aborted) loading.value = false
    }
  }
  /** Load again, at most once in ten seconds: in a storm the feed may say so often. */
  function reload(): void {
    if (later) return
    later = window.setTimeout(() => {
      later = 0
      void load()
    }, Math.max(0, loadedAt + RELOAD_MS - Date.now()))
  }
  watch(
    () => JSON.stringify([{ ...options.query(), since: null }, options.sort()]),
    () => {
      rows.clear()
      order = []
      show()
      void load()
    },
  )
  onReload(reload)
  useLive('desk', (news) => {
    if (news.what === 'list') reload()
  })
  onScopeDispose(() => {
    abort?.abort()
    window.clearTimeout(later)
  })
  void load()
  return { list, version, loading, complete, error, get: (id: string) => rows.get(id), load }
}
