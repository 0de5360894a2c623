/** What is wrong with what somebody writes about notices, as a key of `form.*`; empty: nothing. */
import type { Channel, NoticeTarget } from '@/api/types'

export type Kind = Channel['body']['settings']['kind']
const MAIL = /^[^@\s<>]+@[^@\s<>]+$/
const RECEIVER: Readonly<Record<Exclude<Kind, 'webhook'>, RegExp>> = {
  email: /^[^@\s<>,;]{1,64}@[^@\s<>,;]{1,190}$/,
  sms: /^\+?[0-9]{3,20}$/,
}

export const needed = (text: string) => (text.trim() ? '' : 'needed')

export function url(text: string): string {
  if (!text.trim()) return 'needed'
  try {
    const parts = new URL(text)
    if (!/^https?:$/.test(parts.protocol) || !parts.hostname || /\s/.test(text)) return 'url'
    if (parts.username || parts.password) return 'urlSecret'
  } catch {
    return 'url'
  }
  return ''
}

export const mail = (text: string) => (!text.trim() ? 'needed' : MAIL.test(text.trim()) ? '' : 'mail')

/** Receivers of a channel: addresses, numbers, or none for a robot. */
export function receivers(kind: Kind | undefined, to: readonly string[]): string {
  if (!kind) return 'channel'
  if (kind === 'webhook') return ''
  if (!to.length) return kind === 'email' ? 'receiverMail' : 'receiverSms'
  return to.every((one) => RECEIVER[kind].test(one)) ? '' : kind === 'email' ? 'receiverMail' : 'receiverSms'
}

export function targets(list: readonly NoticeTarget[], kindOf: (channel: number) => Kind | undefined): string {
  if (!list.length) return 'target'
  return list.map((one) => receivers(kindOf(one.channel), one.to ?? [])).find(Boolean) ?? ''
}

/** A body of an HTTP request as JSON, with its places filled in. */
export function json(text: string): string {
  try {
    JSON.parse(text.replace(/\$\{?[a-z][a-z0-9_]*\}?/g, ''))
    return ''
  } catch {
    return 'json'
  }
}

/** Names of the secrets that templates use: `${secret_x}` is x. */
export function secretsOf(...texts: string[]): string[] {
  const names = texts.flatMap((text) => [...text.matchAll(/\$\{?secret_([a-z][a-z0-9_]{0,40})\}?/g)].map((found) => found[1] ?? ''))
  return [...new Set(names)].sort()
}
