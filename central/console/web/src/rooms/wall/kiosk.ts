/** What makes a page a wall: it hides the pointer, comes back by itself, and follows the centre's version. */
import { onScopeDispose, ref } from 'vue'
import { feed } from '@/live/feed'
import { currentUser, forget } from '@/session'

const POINTER_MS = 3_000
const LOOK_MS = 20_000
const VERSION_MS = 300_000
const SCRIPT = /\/assets\/index-[\w-]+\.js/

/** Hide the pointer when it has not moved for three seconds. */
export function usePointer() {
  const hidden = ref(false)
  let timer = 0
  const moved = () => {
    hidden.value = false
    window.clearTimeout(timer)
    timer = window.setTimeout(() => (hidden.value = true), POINTER_MS)
  }
  window.addEventListener('pointermove', moved)
  moved()
  onScopeDispose(() => {
    window.removeEventListener('pointermove', moved)
    window.clearTimeout(timer)
  })
  return hidden
}

/** Reload when the centre serves another console than the one that runs here. */
async function follow(): Promise<void> {
  const running = document.querySelector<HTMLScriptElement>('script[src*="/assets/index-"]')?.src
  try {
    const answer = await fetch('/', { cache: 'no-store' })
    const served = answer.ok ? SCRIPT.exec(await answer.text())?.[0] : undefined
    if (running && served && !running.endsWith(served)) window.location.reload()
  } catch {
    // The centre is away; the next turn looks again.
  }
}

/** Ask for the session again for ever: a wall has nobody who would sign in. */
export function useReturn(came: () => void): void {
  const again = window.setInterval(() => {
    if (feed.state.value !== 'off') return
    forget()
    void currentUser(true).then((user) => user && came()).catch(() => undefined)
  }, LOOK_MS)
  const version = window.setInterval(() => void follow(), VERSION_MS)
  onScopeDispose(() => {
    window.clearInterval(again)
    window.clearInterval(version)
  })
}

/** Two calm tones; false where the browser wants a gesture first (start it with --autoplay-policy=no-user-gesture-required). */
let audio: AudioContext | null = null
export async function chime(): Promise<boolean> {
  audio ??= new AudioContext()
  await Promise.race([audio.resume(), new Promise((done) => window.setTimeout(done, 300))])
  if (audio.state !== 'running') return false
  for (const [at, pitch] of [[0, 660], [0.28, 880], [0.56, 660]] as const) {
    const tone = audio.createOscillator()
    const gain = audio.createGain()
    tone.frequency.value = pitch
    gain.gain.setValueAtTime(0.0001, audio.currentTime + at)
    gain.gain.exponentialRampToValueAtTime(0.25, audio.currentTime + at + 0.03)
    gain.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + at + 0.26)
    tone.connect(gain).connect(audio.destination)
    tone.start(audio.currentTime + at)
    tone.stop(audio.currentTime + at + 0.3)
  }
  return true
}
