/** A list of the API, page after page. */
import { api } from './client'
import type { Page } from './types'

/** Hand every item of a list to `take`. */
export async function everyPage<T>(path: string, take: (item: T) => void): Promise<void> {
  let cursor: string | null = null
  do {
    const page: Page<T> = await api.get<Page<T>>(path, { limit: 1000, cursor })
    page.items.forEach(take)
    cursor = page.next_cursor ?? null
  } while (cursor)
}
