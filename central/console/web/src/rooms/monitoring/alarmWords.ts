/** What an alarm says in one line: its condition with the value that met it. */
import type { Alarm, Name } from '@/api/types'
import { useWords } from '@/i18n'
import { useFormat } from '@/i18n/format'

type Labels = Record<string, Name>
type Judged = Pick<Alarm, 'kind' | 'limit' | 'unit'> & { labels?: Labels }

export function useAlarmWords() {
  const { t } = useWords()
  const { full, span } = useFormat()
  const known = (alarm: Judged, labels = alarm.labels) => (labels && Object.keys(labels).length ? labels : undefined)
  const limit = (alarm: Judged, labels?: Labels) => (['no_data', 'flatline', 'discrepancy'].includes(alarm.kind) ? span(alarm.limit) : full(alarm.limit, { unit: alarm.unit, labels: known(alarm, labels) }))
  // Without its words a state is a bare number, which tells nobody anything.
  const mute = (alarm: Judged, labels?: Labels) => alarm.kind === 'off_normal' && !known(alarm, labels)
  return {
    limit,
    condition: (alarm: Judged, labels?: Labels) => (mute(alarm, labels) ? t('alarm.kind.off_normal') : t(`alarm.conditionText.${alarm.kind}`, { limit: limit(alarm, labels) })),
    value: (alarm: Judged, value: number | null, labels?: Labels) => (value === null || mute(alarm, labels) ? '—' : full(value, { unit: alarm.unit, labels: known(alarm, labels) })),
  }
}
