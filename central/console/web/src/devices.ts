/**
 * The devices that pages name, by id. There may be 50,000, so they are asked for as they are shown: all that
 * are named within a moment together. A page that filters by what devices are wants them all (`loadDevices`).
 */
import { shallowReactive } from 'vue'
import { api } from '@/api/client'
import { everyPage } from '@/api/pages'
import type { Device, Page } from '@/api/types'

const GATHER_MS = 20
const MOST_AT_ONCE = 200

// Shallow: nobody wants a watched copy of each field.
export const devices = shallowReactive(new Map<string, Device>())
/** Ids that were asked for, found or not: of a retired device, or out of sight. */
const asked = new Set<string>()
let gathered: string[] = []
let timer = 0
let all: Promise<void> | null = null

const know = (device: Device) => devices.set(device.id, device)

async function ask(ids: string[]): Promise<void> {
  for (let from = 0; from < ids.length; from += MOST_AT_ONCE) {
    const id = ids.slice(from, from + MOST_AT_ONCE)
    const page = await api.get<Page<Device>>('/devices', { id, limit: MOST_AT_ONCE })
    page.items.forEach(know)
  }
}

/** The device; undefined until the centre has told it. */
export function device(id: string | null | undefined): Device | undefined {
  const known = id ? devices.get(id) : undefined
  if (known || !id || asked.has(id)) return known
  asked.add(id)
  gathered.push(id)
  timer ||= window.setTimeout(() => {
    timer = 0
    const ids = gathered
    gathered = []
    ask(ids).catch(() => ids.forEach((one) => asked.delete(one))) // asked again when it is shown again
  }, GATHER_MS)
  return undefined
}

/** Load every device, once. */
export function loadDevices(): Promise<void> {
  all ??= everyPage('/devices', know).catch((cause: unknown) => {
    all = null
    throw cause
  })
  return all
}

/** Ask again for what is known, and for what was not found. */
export async function refreshDevices(): Promise<void> {
  if (!all) return ask([...asked])
  all = null
  await loadDevices()
}

export function forgetDevices(): void {
  devices.clear()
  asked.clear()
  all = null
}
