/** The alarm list's filter: kept in the address, sent to the centre, and asked again of every live change. */
import { computed } from 'vue'
import { type LocationQuery, useRoute, useRouter } from 'vue-router'
import type { Query } from '@/api/client'
import type { Alarm, Device, Priority, Site } from '@/api/types'

export const STATES = ['open', 'active', 'unacked', 'shelved', 'closed', 'all'] as const
export type StateTab = (typeof STATES)[number]
export type Sort = 'newest' | 'priority'
export type Grouping = 'none' | 'site' | 'cause'
export const LEVELS: readonly Priority[] = ['P1', 'P2', 'P3', 'P4']
const WORDS = ['site', 'area', 'device', 'device_kind', 'category', 'rule', 'cause', 'gateway', 'text', 'overlay', 'assignee', 'kind'] as const
export type WordKey = (typeof WORDS)[number]

export interface AlarmFilter extends Partial<Record<WordKey, string>> {
  state: StateTab
  priority: Priority[]
  hours: number | null
  fold: number | null
  sort: Sort
  group: Grouping
}

const one = (value: LocationQuery[string] | undefined) => (typeof value === 'string' && value ? value : null)

export function fromAddress(query: LocationQuery): AlarmFilter {
  const said = query.priority
  const levels = (Array.isArray(said) ? said : [said]).filter((level): level is Priority => LEVELS.includes(level as Priority))
  const words = Object.fromEntries(WORDS.flatMap((key) => (one(query[key]) ? [[key, one(query[key])]] : [])))
  return {
    ...words,
    state: STATES.find((key) => key === one(query.state)) ?? 'open',
    priority: levels,
    hours: Number(one(query.hours)) || null,
    fold: Number(one(query.fold)) || null,
    sort: one(query.sort) === 'priority' ? 'priority' : 'newest',
    group: one(query.group) === 'site' ? 'site' : one(query.group) === 'cause' ? 'cause' : 'none',
  }
}

/** What the centre is asked: a folded storm is one entry, so its alarms are left out unless it is opened. */
export function toQuery(filter: AlarmFilter, now: number): Query {
  const words = Object.fromEntries(WORDS.map((key) => [key, filter[key]]))
  return {
    ...words,
    ...(filter.state === 'shelved' ? { state: 'open', shelved: true } : { state: filter.state }),
    priority: filter.priority,
    since: filter.hours ? new Date(now - filter.hours * 3_600_000).toISOString() : null,
    ...(filter.fold ? { fold: filter.fold } : { folded: false }),
  }
}

/** What is sent along with an act on everything that the filter lets through, or saved under a name. */
export function toBody(filter: AlarmFilter, now: number): Record<string, unknown> {
  return Object.fromEntries(Object.entries(toQuery(filter, now)).filter(([, value]) => value !== null && value !== undefined && (!Array.isArray(value) || value.length)))
}

export interface Places {
  sites: ReadonlyMap<string, Site>
  devices: ReadonlyMap<string, Device>
  me: string
}

/** Whether an alarm belongs into the list, by the centre's own meaning of the filter. */
export function fits(alarm: Alarm, filter: AlarmFilter, places: Places, now: number): boolean {
  const closed = alarm.state === 'NORM'
  if (filter.state === 'closed' ? !closed : filter.state !== 'all' && closed) return false
  if (filter.state === 'active' && !alarm.active) return false
  if (filter.state === 'unacked' && alarm.acked) return false
  if (filter.state === 'shelved' && !alarm.shelved_until) return false
  if (filter.priority.length && !filter.priority.includes(alarm.priority)) return false
  if (filter.fold ? alarm.fold !== filter.fold : alarm.fold !== null) return false
  for (const key of ['site', 'device', 'category', 'gateway', 'kind', 'cause'] as const) if (filter[key] && alarm[key] !== filter[key]) return false
  if (filter.area && places.sites.get(alarm.site)?.district !== filter.area) return false
  if (filter.device_kind && places.devices.get(alarm.device)?.kind !== filter.device_kind) return false
  if (filter.rule && alarm.rule_id !== filter.rule && !alarm.rule_id.endsWith(`.${filter.rule}`)) return false
  if (filter.overlay && !alarm.overlays.some((code) => code === filter.overlay)) return false
  if (filter.assignee && (alarm.assignee ?? '-') !== (filter.assignee === 'me' ? places.me : filter.assignee)) return false
  if (filter.hours && Date.parse(alarm.raised_at) < now - filter.hours * 3_600_000) return false
  if (!filter.text) return true
  const site = places.sites.get(alarm.site)?.name
  const device = places.devices.get(alarm.device)?.name
  const said = [alarm.name.zh, alarm.name.en, alarm.rule_id, alarm.device, alarm.point, site?.zh, site?.en, device?.zh, device?.en].join(' ').toLowerCase()
  return filter.text.toLowerCase().split(/\s+/).every((word) => said.includes(word))
}

/** The filter in the address, and how to change a part of it. */
export function useAlarmFilter() {
  const route = useRoute()
  const router = useRouter()
  const filter = computed(() => fromAddress(route.query))
  const change = (part: Record<string, string | string[] | null>) => void router.replace({ query: Object.fromEntries(Object.entries({ ...route.query, ...part }).filter(([, value]) => value !== null && value.length)) })
  const use = (query: Record<string, string | string[]>) => void router.replace({ query })
  const narrowed = computed(() => WORDS.filter((key) => filter.value[key]).length + Number(filter.value.priority.length > 0) + Number(filter.value.hours !== null))
  return { filter, change, use, narrowed }
}
