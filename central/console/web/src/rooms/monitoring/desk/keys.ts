/** The list by keyboard; a key that is typed into a field, or into a sheet, is never taken. */
import { onBeforeUnmount, onMounted } from 'vue'

export const KEYS: readonly (readonly [readonly string[], string])[] = [
  [['J', '↓'], 'down'], [['K', '↑'], 'up'], [['Enter'], 'open'], [['X'], 'pick'], [['N'], 'next'],
  [['A'], 'acknowledge'], [['S'], 'shelve'], [['G'], 'assign'], [['C'], 'comment'],
  [['/'], 'search'], [['Esc'], 'clear'], [['?'], 'help'],
]

export type Deed = 'down' | 'up' | 'pageDown' | 'pageUp' | 'first' | 'last' | 'open' | 'pick' | 'next' | 'acknowledge' | 'shelve' | 'assign' | 'comment' | 'search' | 'clear' | 'help'
const BY_KEY: Record<string, Deed> = { j: 'down', k: 'up', x: 'pick', n: 'next', a: 'acknowledge', s: 'shelve', g: 'assign', c: 'comment', '/': 'search', '?': 'help', Escape: 'clear' }
const WITHOUT_FOCUS: Record<string, Deed> = { ArrowDown: 'down', ArrowUp: 'up', PageDown: 'pageDown', PageUp: 'pageUp', Home: 'first', End: 'last', Enter: 'open' }

/** `deeds[…]` returns false where there is nothing to do: the key then stays the browser's. */
export function useKeys(deeds: Partial<Record<Deed, () => unknown>>, closed: () => boolean): void {
  function press(event: KeyboardEvent): void {
    const target = event.target as HTMLElement
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || closed()) return
    if (target.closest('input, textarea, select, [contenteditable], [role=dialog], .n-base-selection')) return
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
    const deed = BY_KEY[key] ?? (target.closest('a, button') ? undefined : WITHOUT_FOCUS[key])
    const run = deed && deeds[deed]
    if (!run || run() === false) return
    event.preventDefault()
  }
  // On the way down, so that the shell's own shortcuts (its search has the same key) see what was taken.
  onMounted(() => window.addEventListener('keydown', press, { capture: true }))
  onBeforeUnmount(() => window.removeEventListener('keydown', press, { capture: true }))
}
