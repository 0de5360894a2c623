/** What the table shows, line by line: alarms, or groups of them that open and close. */
import { computed, reactive, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import type { Alarm, Priority } from '@/api/types'
import type { Grouping } from './filter'

export interface Group {
  key: string
  ids: string[]
  worst: Priority
  unacked: number
  active: number
  first: Alarm | null
}
export type Line = { key: string; alarm: string; group?: undefined } | { key: string; group: Group; alarm?: undefined }
const FEW = 60
const SLOW_MS = 1_000

export function useLines(list: ShallowRef<readonly string[]>, version: Ref<number>, get: (id: string) => Alarm | undefined, by: () => Grouping) {
  const open = reactive(new Map<string, boolean>())
  const groups = shallowRef<Group[]>([])
  let timer = 0
  let made = 0

  function collect(): void {
    timer = 0
    made = performance.now()
    const kind = by()
    if (kind === 'none') return
    const found = new Map<string, Group>()
    for (const id of list.value) {
      const alarm = get(id)
      if (!alarm) continue
      const key = kind === 'site' ? alarm.site : alarm.cause
      let group = found.get(key)
      if (!group) found.set(key, (group = { key, ids: [], worst: alarm.priority, unacked: 0, active: 0, first: null }))
      group.ids.push(id)
      if (alarm.priority < group.worst) group.worst = alarm.priority
      if (!alarm.acked) group.unacked++
      if (alarm.active) group.active++
      if (alarm.first_out) group.first = alarm
    }
    groups.value = [...found.values()].sort((a, b) => a.worst.localeCompare(b.worst) || b.ids.length - a.ids.length)
  }
  watch([version, by], ([, kind], [, old]) => {
    if (kind === 'none') return
    if (kind !== old) open.clear()
    // Thousands are grouped once a second, a few at once.
    const pause = kind !== old || list.value.length < 2_000 ? 0 : Math.max(0, made + SLOW_MS - performance.now())
    if (pause === 0) collect()
    else timer ||= window.setTimeout(collect, pause)
  }, { immediate: true })

  const isOpen = (group: Group) => open.get(group.key) ?? (groups.value.length <= 3 && group.ids.length <= FEW)
  const lines = computed<readonly Line[] | null>(() => {
    if (by() === 'none') return null
    return groups.value.flatMap((group): Line[] => [{ key: `group ${group.key}`, group }, ...(isOpen(group) ? group.ids.map((id): Line => ({ key: id, alarm: id })) : [])])
  })
  const count = computed(() => (lines.value ? lines.value.length : (void version.value, list.value.length)))
  function line(index: number): Line | undefined {
    if (lines.value) return lines.value[index]
    void version.value // the list is changed in place
    const id = list.value[index]
    return id === undefined ? undefined : { key: id, alarm: id }
  }
  /** Where a line is now, or -1; asked at each key, so nothing is made for the thousands before it. */
  const placeOf = (key: string) => lines.value?.findIndex((other) => other.key === key) ?? list.value.indexOf(key)
  const fold = (group: Group) => open.set(group.key, !isOpen(group))
  const all = (wide: boolean) => groups.value.forEach((group) => open.set(group.key, wide))
  return { lines, count, line, placeOf, groups, isOpen, fold, all }
}
