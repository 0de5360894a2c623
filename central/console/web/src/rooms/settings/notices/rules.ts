/** Subscriptions and escalations in words: of which alarms, when, and who. */
import type { Channel, Escalation, NoticeFilter, NoticeHours, NoticeTarget, Subscription } from '@/api/types'
import { useDirectory } from '@/directory'
import { useWords } from '@/i18n'

export type RuleKind = 'subscription' | 'escalation'
export type Rule = Subscription | Escalation
export const EVENTS = ['raised', 'cleared', 'acknowledged', 'unacknowledged', 'webhook_disabled'] as const
export const UNTIL = ['acknowledged', 'acknowledged_or_cleared', 'cleared'] as const
export const isEscalation = (rule: Rule): rule is Escalation => 'steps' in rule.body

export function useRuleWords(channels: () => readonly Channel[]) {
  const { t, name, word, locale } = useWords()
  const { siteName, districtName } = useDirectory()
  const list = (items: string[]) => items.join(locale.value === 'zh' ? '、' : ', ')

  function filter(one: NoticeFilter | undefined): string {
    const parts = [
      list(one?.priorities ?? []), list((one?.areas ?? []).map((area) => name(districtName(area)))), list((one?.sites ?? []).map((site) => name(siteName(site)))), list((one?.categories ?? []).map((key) => word('category', key))),
    ].filter(Boolean)
    return parts.join(' · ') || t('notices.allAlarms')
  }
  function hours(one: NoticeHours | null | undefined): string {
    if (!one) return t('notices.always')
    const day = (number: number) => new Intl.DateTimeFormat(locale.value === 'zh' ? 'zh-CN' : 'en-GB', { weekday: 'short', timeZone: 'UTC' }).format(Date.UTC(2024, 0, number))
    return `${one.days?.length ? list(one.days.map(day)) : t('notices.everyDay')} ${one.from.slice(0, 5)}–${one.until.slice(0, 5)}`
  }
  function who(targets: readonly NoticeTarget[]): string {
    return list(targets.map((one) => {
      const channel = channels().find((known) => known.id === one.channel)?.name ?? `#${one.channel}`
      const [first, ...rest] = one.to ?? []
      return first ? `${channel} ${first}${rest.length ? t('notices.andMore', { n: rest.length }) : ''}` : channel
    }))
  }
  function when(rule: Subscription): string {
    return list(rule.body.events.map((event) => (event === 'unacknowledged' ? t('notices.unackAfter', { n: rule.body.after_minutes ?? 15 }) : t(`notices.event.${event}`))))
  }
  return { filter, hours, who, when }
}
