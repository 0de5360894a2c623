/** The journal's words: what the centre wrote by itself is said in the reader's language. */
import type { AlarmDetail } from '@/api/types'
import { useWords } from '@/i18n'

const SAID: readonly [RegExp, string][] = [
  [/^superseded by occurrence/, 'superseded'],
  [/^arrived out of order/, 'disorder'],
  [/^its time is over/, 'ended'],
  [/^the step that raised it/, 'unseen'],
]
const STORM = /^storm (\d+): (\d+) calls in 10 min at (\d+) position/
const SHELVED = /^(\d+) min: ([\s\S]*)$/

export function useJournalWords() {
  const { t, word } = useWords()
  type Entry = Pick<AlarmDetail['journal'][number], 'event' | 'comment'>
  return {
    title: (entry: Entry) => (entry.comment.startsWith('superseded by') ? t('alarm.event.SUPERSEDED') : word('alarm.event', entry.event.toUpperCase())),
    comment(entry: Entry): string {
      const known = SAID.find(([pattern]) => pattern.test(entry.comment))
      if (known) return t(`alarm.said.${known[1]}`)
      const storm = STORM.exec(entry.comment)
      if (storm) return t('alarm.said.storm', { n: storm[1] ?? '', calls: storm[2] ?? '', positions: storm[3] ?? '' })
      const shelved = entry.event === 'SHELVE' ? SHELVED.exec(entry.comment) : null
      return shelved ? `${t('common.minutes', { n: shelved[1] ?? '' })} · ${shelved[2]}` : entry.comment
    },
    /** Before its first step an occurrence is simply normal; after its last it has returned to normal. */
    state: (code: string) => (code === 'NORM' ? t('siteState.normal') : word('alarm.state', code)),
    /** A user name, or who decided by itself. */
    person: (who: string) => (who === 'superseded' ? t('alarm.said.byNext') : who === 'auto' || who === 'auto-clear' || who === 'flood' ? t(`alarm.said.${who}`) : who),
  }
}
