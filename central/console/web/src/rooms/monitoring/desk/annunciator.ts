/**
 * The sound of alarms: a tone of its own for each priority, once when an alarm calls, and again every ten
 * seconds while a P1 is unacknowledged. Mute is kept in the browser; a browser lets no page sound before a click.
 */
import { computed, ref } from 'vue'
import { api } from '@/api/client'
import type { Alarm, Page, Priority } from '@/api/types'
import { onReload, useLive } from '@/live/feed'

export const REPEAT_MS = 10_000
const GAP_MS = 1_500
/** What calls already is looked for when the page stands: no browser lets it sound before a click anyway. */
const BEGIN_MS = 1_000
const MOST_KNOWN = 200
const KEY = 'citynerve.muted'
/** Pitch (Hz), length and pause (s) of each tone: higher, quicker and longer the more urgent it is. */
export const TONES: Record<Priority, readonly (readonly [number, number])[]> = {
  P1: [[988, 0.14], [740, 0.14], [988, 0.14], [740, 0.14], [988, 0.22]],
  P2: [[784, 0.18], [784, 0.18], [587, 0.24]],
  P3: [[587, 0.2], [494, 0.24]],
  P4: [[392, 0.22]],
}

const muted = ref(localStorage.getItem(KEY) === 'yes')
const allowed = ref(false)
const waiting = ref(0)
let context: AudioContext | null = null
let busyUntil = 0

/** A click is what a browser waits for; any on the page will do. */
function wake(): void {
  context ??= new AudioContext()
  void context.resume().then(() => (allowed.value = context?.state === 'running'))
}

export function sound(level: Priority): boolean {
  if (muted.value || !context || context.state !== 'running') return false
  if (performance.now() < busyUntil) return false
  busyUntil = performance.now() + GAP_MS
  let at = context.currentTime + 0.02
  for (const [pitch, length] of TONES[level]) {
    const tone = context.createOscillator()
    const gain = context.createGain()
    tone.type = level === 'P1' ? 'square' : 'sine'
    tone.frequency.value = pitch
    gain.gain.setValueAtTime(0, at)
    gain.gain.linearRampToValueAtTime(level === 'P1' ? 0.12 : 0.2, at + 0.012)
    gain.gain.exponentialRampToValueAtTime(0.001, at + length)
    tone.connect(gain).connect(context.destination)
    tone.start(at)
    tone.stop(at + length)
    at += length + 0.05
  }
  return true
}

const calls = (alarm: Alarm) => !alarm.acked && alarm.active && !alarm.overlays.length && alarm.fold === null

/** Listen for the whole console; used once, in its frame. */
export function useAnnunciator() {
  const urgent = new Set<string>()
  const known = new Map<string, number>()
  /** There are more that call than were loaded: when these are answered, the next are looked for. */
  let others = false
  async function load(): Promise<void> {
    const page = await api.get<Page<Alarm>>('/alarms', { state: 'unacked', priority: 'P1', limit: MOST_KNOWN }).catch(() => null)
    if (!page) return
    others = page.next_cursor !== null
    urgent.clear()
    for (const alarm of page.items) {
      known.set(alarm.id, alarm.realarms)
      if (calls(alarm)) urgent.add(alarm.id)
    }
    waiting.value = urgent.size
  }
  useLive('alarm', (alarm) => {
    const before = known.get(alarm.id)
    const call = calls(alarm)
    if (call) known.set(alarm.id, alarm.realarms)
    else known.delete(alarm.id)
    if (alarm.priority === 'P1') {
      if (call) urgent.add(alarm.id)
      else urgent.delete(alarm.id)
      waiting.value = urgent.size
      if (!urgent.size && others) void load()
    }
    if (call && (before === undefined || alarm.realarms > before)) sound(alarm.priority)
  })
  onReload(() => void load())
  const begin = window.setTimeout(() => void load(), BEGIN_MS)
  const timer = window.setInterval(() => urgent.size && sound('P1'), REPEAT_MS)
  window.addEventListener('pointerdown', wake)
  window.addEventListener('keydown', wake)
  function mute(): void {
    muted.value = !muted.value
    localStorage.setItem(KEY, muted.value ? 'yes' : 'no')
    wake()
  }
  function stop(): void {
    window.clearTimeout(begin)
    window.clearInterval(timer)
    window.removeEventListener('pointerdown', wake)
    window.removeEventListener('keydown', wake)
  }
  const state = computed(() => (muted.value ? 'muted' : allowed.value ? 'on' : 'blocked'))
  return { state, waiting, mute, stop }
}
