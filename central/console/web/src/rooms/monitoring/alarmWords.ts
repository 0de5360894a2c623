/** What an alarm says in one line: its condition with the value that met it. */
import type { Alarm } from '@/api/types'
import { useWords } from '@/i18n'
import { useFormat } from '@/i18n/format'

type Judged = Pick<Alarm, 'kind' | 'limit' | 'unit'>

export function useAlarmWords() {
  const { t } = useWords()
  const { full, span } = useFormat()
  const limit = (alarm: Judged) => (alarm.kind === 'no_data' ? span(alarm.limit) : full(alarm.limit, { unit: alarm.unit }))
  return {
    limit,
    condition: (alarm: Judged) => t(`alarm.conditionText.${alarm.kind}`, { limit: limit(alarm) }),
    value: (alarm: Judged, value: number | null) => (value === null ? '—' : full(value, { unit: alarm.kind === 'no_data' ? '' : alarm.unit })),
  }
}
