/** A live list of alarms: loaded once, then kept right by the feed; and what people do to alarms. */
import { type ComputedRef, computed } from 'vue'
import { api, type Query } from '@/api/client'
import { type Resource, useResource } from '@/api/resource'
import type { Alarm, Page } from '@/api/types'
import { useWords } from '@/i18n'
import { useAlarmNews } from '@/live/alarmNews'
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
}

/** The newest alarms of a filter, as many as `limit` says. */
export function useAlarms(query: () => Query & { limit: number }): LiveAlarms {
  const list = useResource((signal) => api.get<Page<Alarm>>('/alarms', query(), signal), query)
  useAlarmNews((changed) => {
    const page = list.data.value
    if (!page) return
    const items = new Map(page.items.map((item) => [item.id, item]))
    let total = page.total
    for (const alarm of changed) {
      const had = items.delete(alarm.id)
      const fits = belongs(alarm, query())
      if (fits) items.set(alarm.id, alarm)
      if (total != null) total += Number(fits) - Number(had)
    }
    const newest = [...items.values()].sort((a, b) => b.raised_at.localeCompare(a.raised_at)).slice(0, query().limit)
    list.data.value = { ...page, items: newest, total }
    // Others that were open all along come up when many of these are over.
    if (newest.length < Math.min(query().limit, total ?? 0) / 2) void list.reload()
  })
  return { ...list, alarms: computed(() => list.data.value?.items ?? []) }
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
