/**
 * The one event stream of the page.
 *
 * It is opened again with a growing pause when it breaks (a restart of the gateway, a phone that left the
 * network); then every `onReload` is called, because something may have been missed.
 */
import { getCurrentScope, onScopeDispose, readonly, ref, watch } from 'vue'
import { ApiError, address, api } from '@/api/client'
import type { Messages, Overview } from '@/api/types'
import { setClock } from './clock'

type Kind = keyof Messages
const KINDS: readonly Kind[] = ['values', 'overview']
const LONGEST_PAUSE_MS = 10_000
const SILENCE_MS = 30_000

export type FeedState = 'off' | 'connecting' | 'live' | 'lost'
const state = ref<FeedState>('off')
const lostAt = ref(0)
export const feed = { state: readonly(state), lostAt: readonly(lostAt) }

const handlers = new Map<Kind, Set<(message: never) => void>>()
const reloads = new Set<() => void>()
let device: string | null = null
let wanted = false
let source: EventSource | null = null
let pause = 500
let heard = 0
let timer = 0

function connect(): void {
  window.clearTimeout(timer)
  source?.close()
  if (state.value !== 'lost') state.value = 'connecting'
  const mine = (source = new EventSource(address('/stream', { device })))
  mine.onopen = () => {
    const again = state.value === 'lost'
    heard = Date.now()
    state.value = 'live'
    pause = 500
    if (again) for (const reload of reloads) reload()
  }
  for (const kind of KINDS) {
    mine.addEventListener(kind, (event) => {
      heard = Date.now()
      const message = JSON.parse((event as MessageEvent<string>).data) as never
      for (const handler of handlers.get(kind) ?? []) handler(message)
    })
  }
  mine.onerror = () => {
    if (mine !== source) return
    mine.close()
    void lost()
  }
}

async function lost(): Promise<void> {
  if (state.value !== 'lost') lostAt.value = Date.now()
  state.value = 'lost'
  timer = window.setTimeout(() => {
    if (wanted) connect()
  }, pause * (0.75 + Math.random() / 2))
  pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
  try {
    await api.get<Overview>('/overview') // an EventSource does not say why it failed; a 401 here leads to the sign-in page
  } catch (cause) {
    if (cause instanceof ApiError && cause.status === 401) stopFeed()
  }
}

/** Open the stream; calling it again changes nothing. */
export function startFeed(): void {
  if (wanted) return
  wanted = true
  connect()
}

/** Close the stream, for signing out. */
export function stopFeed(): void {
  wanted = false
  window.clearTimeout(timer)
  source?.close()
  source = null
  state.value = 'off'
}

window.setInterval(() => {
  if (state.value === 'live' && Date.now() - heard > SILENCE_MS) connect()
}, 5_000)
window.addEventListener('online', () => {
  if (wanted && state.value === 'lost') connect()
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

/** Ask the stream for the values of a device while the component lives. */
export function useValues(key: () => string, handler: (message: Messages['values']) => void): void {
  const follow = (to: string | null) => {
    device = to
    if (wanted) connect()
  }
  watch(key, follow, { immediate: true })
  useLive('values', handler)
  onScopeDispose(() => {
    if (device === key()) follow(null)
  })
}

useLive('overview', (overview) => setClock(overview.now_us))
