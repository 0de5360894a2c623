/** What an alarm says in one line: its condition with the value that met it. */
import type { Alarm, Name } from '@/api/types'
import { useWords } from '@/i18n'
import { useFormat } from '@/i18n/format'

type Judged = Pick<Alarm, 'kind' | 'limit' | 'unit'>
type Labels = Record<string, Name>

export function useAlarmWords() {
  const { t } = useWords()
  const { full, span } = useFormat()
  const limit = (alarm: Judged, labels?: Labels) => (alarm.kind === 'no_data' ? span(alarm.limit) : full(alarm.limit, { unit: alarm.unit, labels }))
  return {
    limit,
    // Without its words a state is a bare number, which tells nobody anything.
    condition: (alarm: Judged, labels?: Labels) => alarm.kind === 'off_normal' && !labels ? t('alarm.kind.off_normal') : t(`alarm.conditionText.${alarm.kind}`, { limit: limit(alarm, labels) }),
    value: (alarm: Judged, value: number | null, labels?: Labels) => (value === null || (alarm.kind === 'off_normal' && !labels) ? '—' : full(value, { unit: alarm.unit, labels })),
  }
}
