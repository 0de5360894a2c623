/** A page of a list, newest first, as one changed item leaves it. */
import type { Page } from '@/api/types'

/** Put `item` at its place by `time` (ISO 8601), or take it out where it no longer `fits`; keep `most` at most. */
export function withItem<T extends { id: string }>(page: Page<T>, item: T, time: (item: T) => string, { fits = true, most = Infinity } = {}): Page<T> {
  const others = page.items.filter((other) => other.id !== item.id)
  const items = fits ? [item, ...others].toSorted((a, b) => time(b).localeCompare(time(a))).slice(0, most) : others
  return { ...page, items }
}
