/** A clock that runs through the past, and the frames of the city along it, fetched ahead of the clock. */
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { type ApiError, api } from '@/api/client'
import type { ReplayDensity, ReplayFrame } from '@/api/types'
import { serverNow } from '@/live/feed'

export const SPANS = { h1: 3600e3, h6: 6 * 3600e3, d1: 86400e3, d7: 7 * 86400e3 } as const
export type SpanKey = keyof typeof SPANS
export const SPEEDS = [1, 10, 60, 600] as const
export const BUCKETS = 240
const TICK_MS = 250
const FRAME_MS = 500
const AHEAD = 4
const LEAD_MS = 30e3
const KEPT = 120

export function useReplay(site: () => string | null) {
  const route = useRoute()
  const router = useRouter()
  const asked = Date.parse(String(route.query.time ?? ''))
  const latest = serverNow()
  const key = ref<SpanKey>('h1')
  const start = Number.isFinite(asked) ? Math.min(asked, latest) : latest - SPANS.h1
  const to = ref(Number.isFinite(asked) ? Math.min(latest, start + SPANS.h1 / 2) : latest)
  const from = computed(() => to.value - SPANS[key.value])
  const time = ref(start)
  const speed = ref<(typeof SPEEDS)[number]>(10)
  const playing = ref(false)
  const frame = shallowRef<ReplayFrame | null>(null)
  const density = shallowRef<ReplayDensity | null>(null)
  const error = shallowRef<ApiError | null>(null)

  /** Milliseconds of the past between two frames: one frame every half second, and never below a second. */
  const step = computed(() => Math.max(1000, speed.value * FRAME_MS))
  const frames = new Map<string, ReplayFrame>()
  const waiting = new Set<string>()
  const name = (moment: number) => `${site() ?? ''}|${moment}`
  const place = (moment: number) => Math.min(Math.floor(moment / step.value) * step.value, serverNow() - 1000)

  async function fetchFrame(moment: number): Promise<void> {
    const mine = name(moment)
    if (frames.has(mine) || waiting.has(mine)) return
    waiting.add(mine)
    try {
      const chosen = site()
      const answer = await api.get<ReplayFrame>('/replay/at', { time: new Date(moment).toISOString(), site: chosen ? [chosen] : [] })
      frames.set(mine, answer)
      if (frames.size > KEPT) frames.delete(frames.keys().next().value as string)
      error.value = null
    } catch (cause) {
      error.value = cause as ApiError
    } finally {
      waiting.delete(mine)
    }
  }
  let wanted = ''
  async function show(): Promise<void> {
    const moment = place(time.value)
    wanted = name(moment)
    const mine = wanted
    await fetchFrame(moment)
    const found = frames.get(mine)
    if (found && mine === wanted) frame.value = found
    if (playing.value) for (let i = 1; i <= AHEAD; i++) if (moment + i * step.value < to.value) void fetchFrame(moment + i * step.value)
  }
  watch([() => place(time.value), site], () => void show(), { immediate: true })
  watch(
    [from, to],
    async () => {
      try {
        density.value = await api.get<ReplayDensity>('/replay/density', { from: new Date(from.value).toISOString(), to: new Date(to.value).toISOString(), buckets: BUCKETS })
      } catch (cause) {
        error.value = cause as ApiError
      }
    },
    { immediate: true },
  )

  /** Who asked for no moment begins a little before the first alarm of the span, not in an hour without any. */
  const stopPlacing = watch(density, (found) => {
    if (!found) return
    stopPlacing()
    const first = found.P1.findIndex((_, i) => [found.P1, found.P2, found.P3, found.P4].some((level) => level[i]))
    if (Number.isFinite(asked) || first < 0 || playing.value || time.value !== start) return
    seek(from.value + (first / found.P1.length) * SPANS[key.value] - LEAD_MS)
  })

  let before = performance.now()
  const timer = window.setInterval(() => {
    const at = performance.now()
    const passed = at - before
    before = at
    // A frame that has not come yet holds the clock: the picture never lags behind the time that is written.
    if (!playing.value || waiting.has(wanted)) return
    seek(time.value + passed * speed.value)
    if (time.value >= to.value) playing.value = false
  }, TICK_MS)
  watch(playing, (now) => {
    if (!now) void router.replace({ query: { ...route.query, time: new Date(time.value).toISOString() } })
  })
  onScopeDispose(() => window.clearInterval(timer))

  function seek(moment: number): void {
    time.value = Math.min(Math.max(moment, from.value), to.value)
  }
  function span(chosen: SpanKey): void {
    key.value = chosen
    seek(time.value)
  }
  /** Move the whole span by its half. */
  function move(direction: 1 | -1): void {
    const by = (SPANS[key.value] / 2) * direction
    to.value = Math.min(to.value + by, serverNow())
    seek(time.value + by)
  }
  return { key, from, to, time, speed, playing, frame, density, error, step, seek, span, move, show }
}
