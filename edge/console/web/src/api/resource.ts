/** Something loaded from the gateway and shown: data, error, loading, with late answers ignored. */
import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { onReload } from '@/live/feed'
import type { ApiError } from './client'

export interface Resource<T> {
  data: ShallowRef<T | null>
  error: ShallowRef<ApiError | null>
  loading: Ref<boolean>
  reload: () => Promise<void>
}

/**
 * Load at once, again when `key` changes, and again when the gateway has come back.
 * The old data stays on the screen while the new is fetched, unless the key changed.
 */
export function useResource<T>(load: (signal: AbortSignal) => Promise<T>, key?: () => unknown): Resource<T> {
  const data = shallowRef<T | null>(null)
  const error = shallowRef<ApiError | null>(null)
  const loading = ref(false)
  let abort: AbortController | null = null

  async function reload(): Promise<void> {
    abort?.abort()
    const mine = (abort = new AbortController())
    loading.value = true
    try {
      const answer = await load(mine.signal)
      if (mine.signal.aborted) return
      data.value = answer
      error.value = null
    } catch (cause) {
      if (!mine.signal.aborted) error.value = cause as ApiError
    } finally {
      if (!mine.signal.aborted) loading.value = false
    }
  }

  if (key) {
    watch(key, (now, before) => {
      if (JSON.stringify(now) === JSON.stringify(before)) return
      data.value = null
      void reload()
    })
  }
  onReload(() => void reload())
  onScopeDispose(() => abort?.abort())
  void reload()
  return { data, error, loading, reload }
}

/** Call `again` every `ms` while the component lives and the page is looked at. */
export function useEvery(ms: number, again: () => void): void {
  const timer = window.setInterval(() => {
    if (!document.hidden) again()
  }, ms)
  onScopeDispose(() => window.clearInterval(timer))
}
