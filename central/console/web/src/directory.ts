/** Names of sites and units by id, loaded once and shared by every page; of devices as pages name them. */
import { ref, shallowReactive } from 'vue'
import { api } from '@/api/client'
import { everyPage } from '@/api/pages'
import { shared } from '@/api/shared'
import type { CityMap, Name, Site, Unit } from '@/api/types'
import { device, devices, forgetDevices, refreshDevices } from '@/devices'

const sites = shallowReactive(new Map<string, Site>())
const units = shallowReactive(new Map<string, Unit>())
/** Ids that were looked for in vain: of a retired site, or out of sight. Each is a reason to look again once. */
const missed = new Set<string>()
const city = ref<CityMap | null>(null)
const LOOK_AGAIN_MS = 10_000
let askedAt = 0
let again = 0

/** Load every site with how it is now. */
export const loadSites = shared(() => everyPage<Site>('/sites', (site) => sites.set(site.id, site)))

/** Load everything again, at most once in ten seconds: an unknown id is a reason to look again. */
export async function loadDirectory(force = false): Promise<void> {
  const at = Date.now()
  if (!force && at - askedAt < LOOK_AGAIN_MS) return
  askedAt = at
  await Promise.all([loadSites(), everyPage<Unit>('/units', (unit) => units.set(unit.id, unit)), refreshDevices()])
}

/** Load the city's map once. */
export async function loadCity(): Promise<void> {
  city.value ??= await api.get<CityMap>('/map')
}

export function forgetDirectory(): void {
  sites.clear()
  forgetDevices()
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
    device,
    deviceName: (id: string | null | undefined) => device(id)?.name ?? raw(id || '—'),
    districtName: district,
    unitName: (id: string | null | undefined) => find(units, id),
  }
}
