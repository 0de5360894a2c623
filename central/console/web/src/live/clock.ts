/** One tick a second for every age and clock on the screen. */
import { ref } from 'vue'
import { serverNow } from './feed'

/** Milliseconds since 1970 by the centre's clock, renewed every second. */
export const now = ref(serverNow())

window.setInterval(() => (now.value = serverNow()), 1_000)
