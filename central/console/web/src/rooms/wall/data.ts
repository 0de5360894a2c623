/** Everything a wall shows, asked once and kept right; every list has an end, since a wall runs for weeks. */
import { type InjectionKey, inject, onScopeDispose, provide, reactive, ref, shallowRef } from 'vue'
import { api } from '@/api/client'
import { useResource } from '@/api/resource'
import type { Alarm, Case, Gateway, MapHeat, Overview, Page, Site } from '@/api/types'
import { useAlarmNews } from '@/live/alarmNews'
import { serverNow, useLive } from '@/live/feed'
import { withItem } from '@/live/newest'

const MOST_ALARMS = 60
const MOST_CASES = 40
const MOST_LINES = 24
const MOST_RATES = 180
const SITES_SOON_MS = 1_500
const SELDOM_MS = 60_000

export interface Line {
  key: string
  at: string
  kind: 'raised' | 'cleared' | 'acked' | 'case'
  alarm?: Alarm
  case?: Case
}

function make() {
  const overview = useResource((signal) => api.get<Overview>('/overview', {}, signal))
  const alarms = useResource((signal) => api.get<Page<Alarm>>('/alarms', { state: 'open', limit: MOST_ALARMS }, signal))
  const sites = useResource((signal) => api.get<Page<Site>>('/sites', { limit: 1000 }, signal))
  const gateways = useResource((signal) => api.get<Page<Gateway>>('/gateways', {}, signal))
  const cases = useResource((signal) => api.get<Page<Case>>('/cases', { state: 'open', limit: MOST_CASES }, signal))
  const heat = useResource((signal) => api.get<MapHeat>('/map/heat', { hours: 24 }, signal))
  const lines = ref<Line[]>([])
  const rates = ref<number[]>([])
  const urgent = shallowRef<Alarm | null>(null)
  const heard = reactive({ overview: 0, alarm: 0, gateway: 0, case: 0 })

  function note(line: Line): void {
    lines.value = [line, ...lines.value.filter((other) => other.key !== line.key)].slice(0, MOST_LINES)
  }
  useLive('overview', (now) => {
    overview.data.value = now
    heard.overview = serverNow()
    if (now.readings_per_s !== null) rates.value = [...rates.value, now.readings_per_s].slice(-MOST_RATES)
  })
  let waiting = 0
  function alarmTold(alarm: Alarm): void {
    const page = alarms.data.value
    const before = page?.items.find((item) => item.id === alarm.id)
    if (page) alarms.data.value = withItem(page, alarm, (item) => item.raised_at, { fits: alarm.state !== 'NORM', most: MOST_ALARMS })
    if (!before && alarm.active) {
      note({ key: `${alarm.id}+`, at: alarm.raised_at, kind: 'raised', alarm })
      if (alarm.priority === 'P1' && !alarm.acked && !alarm.shelved_until) urgent.value = alarm
    } else if (before?.active && !alarm.active) note({ key: `${alarm.id}-`, at: alarm.cleared_at ?? new Date(serverNow()).toISOString(), kind: 'cleared', alarm })
    else if (before && !before.acked && alarm.acked) note({ key: `${alarm.id}a`, at: alarm.acked_at ?? new Date(serverNow()).toISOString(), kind: 'acked', alarm })
    if (urgent.value?.id === alarm.id) urgent.value = alarm.acked || !alarm.active ? null : alarm
  }
  useAlarmNews((changed) => {
    heard.alarm = serverNow()
    changed.forEach(alarmTold)
    waiting ||= window.setTimeout(() => {
      waiting = 0
      void sites.reload()
    }, SITES_SOON_MS)
  })
  useLive('gateway', (gateway) => {
    heard.gateway = serverNow()
    const page = gateways.data.value
    if (page) gateways.data.value = { ...page, items: [...page.items.filter((item) => item.id !== gateway.id), gateway].sort((a, b) => a.id.localeCompare(b.id)) }
  })
  useLive('case', (now) => {
    heard.case = serverNow()
    const page = cases.data.value
    if (page) cases.data.value = withItem(page, now, (item) => item.opened_at, { fits: !now.closed_at, most: MOST_CASES })
    note({ key: `${now.id}${now.state}`, at: new Date(serverNow()).toISOString(), kind: 'case', case: now })
  })
  const seldom = window.setInterval(() => {
    void heat.reload()
    void sites.reload()
  }, SELDOM_MS)
  onScopeDispose(() => {
    window.clearInterval(seldom)
    window.clearTimeout(waiting)
  })
  return { overview: overview.data, alarms: alarms.data, sites: sites.data, gateways: gateways.data, cases: cases.data, heat: heat.data, lines, rates, urgent, heard }
}

export type WallData = ReturnType<typeof make>
const KEY: InjectionKey<WallData> = Symbol('wall')

export function provideWall(): WallData {
  const data = make()
  provide(KEY, data)
  return data
}

export function useWall(): WallData {
  const data = inject(KEY)
  if (!data) throw new Error('a panel stands outside a wall; put it into WallBoard')
  return data
}
