/** One thin wrapper over fetch: same-origin, cookie session, RFC 9457 problems as errors. */

/** An answer of the centre that is not a success. `message` is the sentence that says how to repair it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    detail: string,
    /** One entry per wrong field, where a form can show them. */
    readonly errors: readonly FieldError[] = [],
  ) {
    super(detail || title)
    this.name = 'ApiError'
  }
}

/** A wrong field: `problem_zh` where the centre says it in Chinese too. */
export interface FieldError {
  field: string
  problem: string
  problem_zh?: string
}

export type Query = Record<string, string | number | boolean | readonly string[] | null | undefined>

const BASE = '/api/v1'
let onUnauthorised: () => void = () => undefined

/** Tell the client what to do when the centre no longer knows the session. */
export function whenUnauthorised(action: () => void): void {
  onUnauthorised = action
}

/** Return `path` with the query; lists repeat their key, null and undefined are left out. */
export function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === '') continue
    if (typeof value === 'object') for (const item of value) search.append(key, item)
    else search.append(key, String(value))
  }
  const text = search.toString()
  return BASE + path + (text ? `?${text}` : '')
}

async function problem(response: Response): Promise<ApiError> {
  let body: { type?: string; title?: string; detail?: string; errors?: FieldError[] } = {}
  if (response.headers.get('content-type')?.includes('json')) {
    body = (await response.json()) as typeof body
  }
  const code = body.type?.split('/').pop() ?? `http-${response.status}`
  return new ApiError(response.status, code, body.title ?? response.statusText, body.detail ?? '', body.errors ?? [])
}

async function send<T>(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const raw = body instanceof Blob
  const shape = raw ? 'application/octet-stream' : 'application/json'
  let response: Response
  try {
    response = await fetch(url, {
      method,
      signal,
      credentials: 'same-origin',
      headers: body === undefined ? { accept: 'application/json' } : { accept: 'application/json', 'content-type': shape },
      body: body === undefined || raw ? body : JSON.stringify(body),
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new ApiError(0, 'unreachable', 'unreachable', '')
  }
  if (!response.ok) {
    const error = await problem(response)
    if (error.status === 401 && !url.endsWith('/session')) onUnauthorised()
    throw error
  }
  if (response.status === 204) return undefined as T
  return (await response.json()) as T
}

export const api = {
  get: <T>(path: string, query?: Query, signal?: AbortSignal) => send<T>('GET', address(path, query), undefined, signal),
  post: <T>(path: string, body: unknown = {}) => send<T>('POST', address(path), body),
  put: <T>(path: string, body: unknown) => send<T>('PUT', address(path), body),
  patch: <T>(path: string, body: unknown) => send<T>('PATCH', address(path), body),
  /** Send a file as it is. */
  upload: <T>(path: string, file: Blob, query?: Query) => send<T>('POST', address(path, query), file),
  remove: (path: string) => send<undefined>('DELETE', address(path)),
}
