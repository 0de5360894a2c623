/** Something a person asks of the gateway: one at a time, its failure kept for the screen. */
import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { ApiError } from './client'

export interface Action<A extends unknown[], T> {
  busy: Ref<boolean>
  error: ShallowRef<ApiError | null>
  /** The answer, or null where it failed (see `error`) or is under way already. */
  run: (...args: A) => Promise<T | null>
}

export function useAction<A extends unknown[], T>(act: (...args: A) => Promise<T>): Action<A, T> {
  const busy = ref(false)
  const error = shallowRef<ApiError | null>(null)
  async function run(...args: A): Promise<T | null> {
    if (busy.value) return null
    busy.value = true
    error.value = null
    try {
      return await act(...args)
    } catch (cause) {
      error.value = cause instanceof ApiError ? cause : new ApiError(0, 'page', String(cause))
      return null
    } finally {
      busy.value = false
    }
  }
  return { busy, error, run }
}
