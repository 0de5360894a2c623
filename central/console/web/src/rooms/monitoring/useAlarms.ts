/** A live list of alarms: loaded once, then kept right by the feed; and what people do to alarms. */
import { type ComputedRef, computed } from 'vue'
import { api, type Query } from '@/api/client'
import { type Resource, useResource } from '@/api/resource'
import type { Alarm, Page } from '@/api/types'
import { useWords } from '@/i18n'
import { useLive } from '@/live/feed'
import { useAct } from '@/parts/act'

export type AlarmFilter = 'active' | 'unacked' | 'open' | 'closed' | 'all' | 'shelved'
const UNACKED = new Set(['UNACK', 'RTNUN', 'LTUNK'])

/** Whether an alarm belongs into a list, by the centre's own meaning of the filters. */
function belongs(alarm: Alarm, query: Query): boolean {
  if (query.priority && alarm.priority !== query.priority) return false
  if (query.site && alarm.site !== query.site) return false
  if (query.device && alarm.device !== query.device) return false
  if (query.shelved === true && !alarm.shelved_until) return false
  switch (query.state) {
    case 'active':
      return alarm.active
    case 'unacked':
      return UNACKED.has(alarm.state)
    case 'open':
      return alarm.state !== 'NORM'
    case 'closed':
      return alarm.state === 'NORM'
    default:
      return true
  }
}

export interface LiveAlarms extends Resource<Page<Alarm>> {
  alarms: ComputedRef<Alarm[]>
  more: () => Promise<void>
}

export function useAlarms(query: () => Query): LiveAlarms {
  const list = useResource((signal) => api.get<Page<Alarm>>('/alarms', query(), signal), query)
  useLive('alarm', (alarm) => {
    const page = list.data.value
    if (!page) return
    const others = page.items.filter((item) => item.id !== alarm.id)
    const had = others.length < page.items.length
    const fits = belongs(alarm, query())
    if (!had && !fits) return
    const items = fits ? [...others, alarm].sort((a, b) => b.raised_at.localeCompare(a.raised_at)) : others
    const total = page.total == null ? page.total : page.total + Number(fits) - Number(had)
    list.data.value = { ...page, items, total }
  })
  async function more(): Promise<void> {
    const page = list.data.value
    if (!page?.next_cursor) return
    const next = await api.get<Page<Alarm>>('/alarms', { ...query(), cursor: page.next_cursor })
    const known = new Set(page.items.map((item) => item.id))
    list.data.value = { ...next, items: [...page.items, ...next.items.filter((item) => !known.has(item.id))] }
  }
  return { ...list, alarms: computed(() => list.data.value?.items ?? []), more }
}

/** Acknowledge, shelve and unshelve, with a word about how it went. */
export function useAlarmActions() {
  const { t } = useWords()
  const { act, busy } = useAct()
  const each = (ids: string[], verb: string, body: unknown) => () => Promise.all(ids.map((id) => api.post<Alarm>(`/alarms/${id}/${verb}`, body)))
  return {
    busy,
    acknowledge: (ids: string[], comment?: string) => act(each(ids, 'acknowledge', comment ? { comment } : {}), t('alarm.ackDone', { n: ids.length })),
    shelve: (ids: string[], minutes: number, reason: string) => act(each(ids, 'shelve', { minutes, reason }), t('alarm.shelveDone', { n: ids.length })),
    reset: (id: string) => act(each([id], 'reset', {}), t('alarm.resetDone')),
    unshelve: (id: string) => act(each([id], 'unshelve', {}), t('alarm.unshelveDone')),
  }
}
