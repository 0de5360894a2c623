/**
 * The one event stream of the page.
 *
 * Pages ask for kinds (`useLive`) and for readings of points, devices or sites (`useReadings`); the feed
 * opens one EventSource for all of them, opens it again with a growing pause when it breaks, and calls
 * every `onReload` when something may have been missed (reconnected, or the centre said `lagged`).
 */
import { getCurrentScope, onScopeDispose, readonly, ref, shallowRef, watch } from 'vue'
import { ApiError, address, api } from '@/api/client'
import type { Latest, LiveMessages } from '@/api/types'

export type Messages = LiveMessages
export type Kind = keyof Messages
export type FeedState = 'off' | 'connecting' | 'live' | 'lost'
export interface ReadingFilter {
  site?: string[]
  device?: string[]
  point?: string[]
}

const KINDS: readonly Kind[] = ['hello', 'readings', 'alarm', 'gateway', 'event', 'case', 'command', 'order', 'overview', 'desk']
const LONGEST_PAUSE_MS = 15_000
const SILENCE_MS = 45_000

const state = ref<FeedState>('off')
const lastHeard = ref(0)
const clockOffset = ref(0)
const handlers = new Map<Kind, Set<(message: never) => void>>()
const reloads = new Set<() => void>()
const filters = new Map<symbol, ReadingFilter>()
const open = shallowRef(false)

let source: EventSource | null = null
let pause = 1_000
let timer = 0
let refilter = 0
let everLive = false
let asked = ''

/** Milliseconds since 1970 by the centre's clock, which every age on the screen is counted from. */
export function serverNow(): number {
  return Date.now() + clockOffset.value
}

export const feed = { state: readonly(state), lastHeard: readonly(lastHeard) }

function query(): string {
  const wanted = { site: new Set<string>(), device: new Set<string>(), point: new Set<string>() }
  for (const filter of filters.values()) {
    for (const key of ['site', 'device', 'point'] as const) for (const id of filter[key] ?? []) wanted[key].add(id)
  }
  return address('/live', { site: [...wanted.site], device: [...wanted.device], point: [...wanted.point] })
}

function heard(): void {
  lastHeard.value = Date.now()
}

function dispatch(kind: Kind, text: string): void {
  heard()
  const message = JSON.parse(text) as Messages[Kind]
  if (kind === 'hello') {
    clockOffset.value = Date.parse((message as Messages['hello']).server_time) - Date.now()
    state.value = 'live'
    pause = 1_000
    if (everLive) reloadAll()
    everLive = true
  }
  for (const handler of handlers.get(kind) ?? []) handler(message as never)
}

function reloadAll(): void {
  for (const reload of reloads) reload()
}

function connect(): void {
  window.clearTimeout(timer)
  source?.close()
  asked = query()
  if (state.value !== 'lost') state.value = 'connecting'
  const mine = (source = new EventSource(asked))
  for (const kind of KINDS) mine.addEventListener(kind, (event) => dispatch(kind, (event as MessageEvent<string>).data))
  mine.addEventListener('lagged', () => {
    heard()
    reloadAll()
  })
  mine.onerror = () => {
    if (mine !== source) return
    mine.close()
    void lost()
  }
}

async function lost(): Promise<void> {
  state.value = 'lost'
  const wait = pause * (0.75 + Math.random() / 2)
  pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
  timer = window.setTimeout(() => open.value && connect(), wait)
  try {
    await api.get('/overview') // an EventSource does not say why it failed; a 401 here leads to the sign-in page
  } catch (cause) {
    if (cause instanceof ApiError && cause.status === 401) stopFeed()
  }
}

function changed(): void {
  window.clearTimeout(refilter)
  refilter = window.setTimeout(() => {
    if (open.value && query() !== asked) {
      everLive = false // a page that changes its filter has just loaded its data
      connect()
    }
  }, 60)
}

/** Open the stream; calling it again changes nothing. */
export function startFeed(): void {
  if (open.value) return
  open.value = true
  everLive = false
  pause = 1_000
  connect()
}

/** Close the stream, for signing out. */
export function stopFeed(): void {
  open.value = false
  window.clearTimeout(timer)
  source?.close()
  source = null
  state.value = 'off'
}

window.setInterval(() => {
  if (state.value === 'live' && Date.now() - lastHeard.value > SILENCE_MS) connect()
}, 5_000)
window.addEventListener('online', () => {
  if (open.value && state.value === 'lost') connect()
})

/** Call `handler` for every message of a kind while the component lives. */
export function useLive<K extends Kind>(kind: K, handler: (message: Messages[K]) => void): void {
  const set = handlers.get(kind) ?? new Set()
  handlers.set(kind, set)
  set.add(handler)
  if (getCurrentScope()) onScopeDispose(() => set.delete(handler))
}

/** Call `reload` when messages may have been missed. */
export function onReload(reload: () => void): void {
  reloads.add(reload)
  if (getCurrentScope()) onScopeDispose(() => reloads.delete(reload))
}

/** Receive readings of the points, devices or sites that `filter` names, newest per point. */
export function useReadings(filter: () => ReadingFilter | null, handler: (items: Latest[]) => void): void {
  const id = Symbol('readings')
  watch(
    filter,
    (now) => {
      if (now) filters.set(id, now)
      else filters.delete(id)
      changed()
    },
    { immediate: true },
  )
  useLive('readings', (message) => handler(message.items))
  onScopeDispose(() => {
    filters.delete(id)
    changed()
  })
}
