/** The gateway's clock, one tick a second: every age on the screen is counted from it. */
import { ref } from 'vue'

let offset = 0
/** Milliseconds since 1970 by the gateway's clock. */
export const now = ref(Date.now())

/** The gateway said that it is `us` (µs, UTC) now. */
export function setClock(us: number): void {
  offset = us / 1000 - Date.now()
  now.value = Date.now() + offset
}

window.setInterval(() => (now.value = Date.now() + offset), 1_000)
