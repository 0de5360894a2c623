/** Names of sites, devices and units by id, loaded once and shared by every page. */
import { ref, shallowReactive } from 'vue'
import { api } from '@/api/client'
import type { CityMap, Device, Name, Page, Site, Unit } from '@/api/types'

// Shallow: of 50,000 devices nobody wants a watched copy of each field.
const sites = shallowReactive(new Map<string, Site>())
const devices = shallowReactive(new Map<string, Device>())
const units = shallowReactive(new Map<string, Unit>())
/** Ids that were looked for in vain: of a retired device, or out of sight. Each is a reason to look again once. */
const missed = new Set<string>()
const city = ref<CityMap | null>(null)
const LOOK_AGAIN_MS = 10_000
let askedAt = 0
let again = 0

async function fill<T extends { id: string }>(path: string, into: Map<string, T>): Promise<void> {
  let cursor: string | null = null
  do {
    const page: Page<T> = await api.get<Page<T>>(path, { limit: 1000, cursor })
    for (const item of page.items) into.set(item.id, item)
    cursor = page.next_cursor ?? null
  } while (cursor)
}

/** Load everything again, at most once in ten seconds: an unknown id is a reason to look again. */
export async function loadDirectory(force = false): Promise<void> {
  const at = Date.now()
  if (!force && at - askedAt < LOOK_AGAIN_MS) return
  askedAt = at
  await Promise.all([fill('/sites', sites), fill('/devices', devices), fill('/units', units)])
}

/** Load the city's map once. */
export async function loadCity(): Promise<void> {
  city.value ??= await api.get<CityMap>('/map')
}

export function forgetDirectory(): void {
  sites.clear()
  devices.clear()
  units.clear()
  missed.clear()
  askedAt = 0
}

const raw = (id: string): Name => ({ zh: id, en: id })

function find<T extends { name: Name }>(map: Map<string, T>, id: string | null | undefined): Name {
  if (!id) return raw('—')
  const known = map.get(id)
  if (!known && askedAt > 0 && !missed.has(id)) {
    missed.add(id)
    again ||= window.setTimeout(() => {
      again = 0
      void loadDirectory(true)
    }, Math.max(0, askedAt + LOOK_AGAIN_MS - Date.now()))
  }
  return known?.name ?? raw(id)
}

/** The name that the city's map gives a district; the key where it has none. */
function district(key: string | null | undefined): Name {
  if (!key) return raw('—')
  const properties = city.value?.districts.features.find((feature) => feature.properties?.key === key)?.properties
  const named = properties?.name as Partial<Name> | string | undefined
  const one = typeof named === 'object' ? named : { zh: properties?.name_zh as string | undefined, en: properties?.name_en as string | undefined }
  return { zh: one.zh ?? (typeof named === 'string' ? named : key), en: one.en ?? (typeof named === 'string' ? named : key) }
}

export function useDirectory() {
  return {
    sites,
    devices,
    units,
    city,
    siteName: (id: string | null | undefined) => find(sites, id),
    deviceName: (id: string | null | undefined) => find(devices, id),
    districtName: district,
    unitName: (id: string | null | undefined) => find(units, id),
  }
}
