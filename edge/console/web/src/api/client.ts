/** One thin wrapper over fetch: same-origin, cookie session, RFC 9457 problems as errors. */
import type { Mistake } from './types'

/** An answer that is not a success. `message` is the gateway's own sentence, in English; `code` is stable. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
    readonly mistakes: readonly Mistake[] = [],
  ) {
    super(detail)
    this.name = 'ApiError'
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>

const PATIENCE_MS = 30_000
let onUnauthorised: () => void = () => undefined

/** Tell the client what to do when the gateway no longer knows the session. */
export function whenUnauthorised(action: () => void): void {
  onUnauthorised = action
}

/** Return the address below /api; null, undefined and empty values are left out. */
export function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== '') search.set(key, String(value))
  }
  const text = search.toString()
  return `/api${path}${text ? `?${text}` : ''}`
}

async function problem(response: Response): Promise<ApiError> {
  let body: { type?: string; code?: string; title?: string; detail?: string; mistakes?: Mistake[] } = {}
  if (response.headers.get('content-type')?.includes('json')) body = (await response.json()) as typeof body
  const code = body.code ?? body.type?.split('/').pop() ?? `http-${response.status}`
  return new ApiError(response.status, code, body.detail ?? body.title ?? response.statusText, body.mistakes)
}

async function send<T>(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  const headers: Record<string, string> = { accept: 'application/json', 'x-requested-with': 'citynerve' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  let response: Response
  try {
    response = await fetch(url, {
      method,
      headers,
      credentials: 'same-origin',
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new ApiError(0, patience.aborted ? 'slow' : 'unreachable', '')
  }
  if (!response.ok) {
    const error = await problem(response)
    if (error.status === 401 && !url.startsWith('/api/session')) onUnauthorised()
    throw error
  }
  if (response.status === 204) return undefined as T
  return (await response.json()) as T
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => send<T>('GET', address(path, query), undefined, signal),
  post: <T>(path: string, body: unknown = {}) => send<T>('POST', address(path), body),
  remove: (path: string) => send<undefined>('DELETE', address(path), {}),
}
