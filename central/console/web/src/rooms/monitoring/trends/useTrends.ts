/** What the page shows: points, span and comparison, as the address says; and the data for them. */
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { ApiError, api } from '@/api/client'
import type { History, Latest, Marks, Point } from '@/api/types'
import { useWords } from '@/i18n'
import { unitText } from '@/i18n/format'
import { now } from '@/live/clock'
import { onReload, serverNow, useReadings } from '@/live/feed'

export const MOST_POINTS = 8
export const MOST_UNITS = 4
export const SPANS = { m15: 900e3, h1: 3600e3, h6: 6 * 3600e3, d1: 86400e3, d7: 7 * 86400e3, d30: 30 * 86400e3, y1: 365 * 86400e3 } as const
export type SpanKey = keyof typeof SPANS
export type Compare = '' | 'day' | 'week'
export const SHIFT: Record<Compare, number> = { '': 0, day: 86400e3, week: 7 * 86400e3 }
const SHORTEST_MS = 5_000
const SETTLE_MS = 180
const TAIL_MS = 2 * 3600e3
const REFRESH_MS = 60_000

export function useTrends() {
  const { t } = useWords()
  const route = useRoute()
  const router = useRouter()
  const asked = (key: string) => {
    const value = route.query[key]
    return Array.isArray(value) ? value.join(',') : (value ?? '')
  }
  const ids = ref<string[]>([...new Set(asked('points').split(',').filter(Boolean))].slice(0, MOST_POINTS))
  const width = ref<number>(Number(asked('span')) * 1000 || SPANS.h1)
  const fixed = [Date.parse(asked('from')), Date.parse(asked('to'))]
  const live = ref(!(fixed[0] && fixed[1] && fixed[0] < fixed[1]))
  const to = ref(live.value ? serverNow() : (fixed[1] as number))
  const from = ref(live.value ? to.value - width.value : (fixed[0] as number))
  const compare = ref<Compare>(asked('compare') === 'day' || asked('compare') === 'week' ? (asked('compare') as Compare) : '')
  const points = shallowRef<Point[]>([])
  const history = shallowRef<History | null>(null)
  const before = shallowRef<History | null>(null)
  const marks = shallowRef<Marks | null>(null)
  const error = shallowRef<ApiError | null>(null)
  const refused = ref('')
  const loading = ref(false)
  const units = computed(() => [...new Set(points.value.map((point) => point.unit))])

  function address(): void {
    const time = live.value ? { span: String(Math.round(width.value / 1000)) } : { from: new Date(from.value).toISOString(), to: new Date(to.value).toISOString() }
    void router.replace({ query: { points: ids.value.join(',') || undefined, ...time, compare: compare.value || undefined } })
  }

  let abort: AbortController | null = null
  let timer = 0
  async function load(): Promise<void> {
    abort?.abort()
    const mine = (abort = new AbortController())
    const known = points.value.map((point) => point.id)
    if (!known.length) {
      history.value = before.value = marks.value = null
      return
    }
    loading.value = true
    const span = (shift: number) => ({ point: known, from: new Date(from.value - shift).toISOString(), to: new Date(to.value - shift).toISOString() })
    const shift = SHIFT[compare.value]
    try {
      const [main, earlier, happened] = await Promise.all([
        api.get<History>('/history', { ...span(0), resolution: 'auto' }, mine.signal),
        shift ? api.get<History>('/history', { ...span(shift), resolution: 'auto' }, mine.signal) : null,
        api.get<Marks>('/history/marks', span(0), mine.signal),
      ])
      if (mine.signal.aborted) return
      history.value = main
      before.value = earlier
      marks.value = happened
      error.value = null
    } catch (cause) {
      if (!mine.signal.aborted) error.value = cause as ApiError
    } finally {
      if (!mine.signal.aborted) loading.value = false
    }
  }
  function soon(): void {
    window.clearTimeout(timer)
    timer = window.setTimeout(() => {
      address()
      void load()
    }, SETTLE_MS)
  }

  async function fetchPoints(): Promise<void> {
    const found: Point[] = []
    for (const id of ids.value) {
      const known = points.value.find((point) => point.id === id)
      try {
        found.push(known ?? (await api.get<Point>(`/points/${encodeURIComponent(id)}`)))
      } catch (cause) {
        if (!(cause instanceof ApiError) || cause.status !== 404) throw cause
        refused.value = t('trends.unknown', { id })
      }
    }
    const kept: Point[] = []
    for (const point of found) {
      if (!fits(kept, point)) break
      kept.push(point)
    }
    points.value = kept
    ids.value = kept.map((point) => point.id)
  }
  function fits(kept: readonly Point[], point: Pick<Point, 'unit'>): boolean {
    const used = new Set(kept.map((item) => item.unit))
    if (used.has(point.unit) || used.size < MOST_UNITS) return true
    refused.value = t('trends.tooManyUnits', { unit: unitText(point.unit) || '1' })
    return false
  }
  async function begin(): Promise<void> {
    try {
      await fetchPoints()
      await load()
    } catch (cause) {
      error.value = cause as ApiError
    }
  }
  void begin()

  async function add(point: Pick<Point, 'id' | 'unit'>): Promise<boolean> {
    refused.value = ''
    if (ids.value.includes(point.id)) return true
    if (ids.value.length >= MOST_POINTS) refused.value = t('trends.tooManyPoints', { n: MOST_POINTS })
    if (refused.value || !fits(points.value, point)) return false
    ids.value = [...ids.value, point.id]
    await begin()
    address()
    return true
  }
  function remove(id: string): void {
    refused.value = ''
    ids.value = ids.value.filter((item) => item !== id)
    points.value = points.value.filter((point) => point.id !== id)
    soon()
  }
  /** Show a span; the old drawing stays until the new data is there. */
  function show(start: number, end: number): void {
    const most = SPANS.y1 * 5
    const length = Math.min(Math.max(end - start, SHORTEST_MS), most)
    const centre = (start + end) / 2
    const latest = serverNow()
    to.value = Math.min(centre + length / 2, latest + length * 0.05)
    from.value = to.value - length
    width.value = length
    live.value = false
    soon()
  }
  function follow(length: number = width.value): void {
    width.value = length
    live.value = true
    to.value = serverNow()
    from.value = to.value - length
    soon()
  }
  async function open(view: { points: string[]; from?: string | null; to?: string | null; span_s?: number | null; compare: Compare }): Promise<void> {
    refused.value = ''
    ids.value = view.points.slice(0, MOST_POINTS)
    compare.value = view.compare
    if (view.from && view.to) {
      live.value = false
      from.value = Date.parse(view.from)
      to.value = Date.parse(view.to)
      width.value = to.value - from.value
    } else follow((view.span_s ?? 3600) * 1000)
    await begin()
    address()
  }
  watch(compare, soon)

  let loadedAt = serverNow()
  watch(history, () => (loadedAt = serverNow()))
  watch(now, (time) => {
    if (!live.value) return
    to.value = time
    from.value = time - width.value
    if (time - loadedAt > Math.max(REFRESH_MS, width.value / 500)) void load()
  })
  useReadings(
    () => (live.value && ids.value.length && width.value <= TAIL_MS ? { point: ids.value } : null),
    (items) => {
      if (live.value && history.value?.resolution === 'raw') history.value = grown(history.value, items, from.value)
    },
  )
  onReload(() => void load())
  onScopeDispose(() => {
    abort?.abort()
    window.clearTimeout(timer)
  })
  return { ids, points, units, from, to, width, live, compare, history, before, marks, error, refused, loading, add, remove, show, follow, open, load }
}

/** The same history with newer readings at its end, and without what has left the span. */
function grown(history: History, items: readonly Latest[], from: number): History {
  const newest = new Map(items.map((item) => [item.point, item]))
  const series = history.series.map((one) => {
    const item = newest.get(one.point)
    const time = item ? Date.parse(item.time) : 0
    if (!item || time <= (one.t.at(-1) ?? 0)) return one
    const first = Math.max(0, one.t.findIndex((t) => t >= from))
    return { ...one, t: [...one.t.slice(first), time], value: [...(one.value ?? []).slice(first), item.value], quality: [...(one.quality ?? []).slice(first), item.quality.code] }
  })
  return { ...history, series }
}
