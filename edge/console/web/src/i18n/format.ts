/** Numbers, units, times and spans as people read them. Times are µs of UTC, shown in the phone's zone. */
import { computed } from 'vue'
import type { Name } from '@/api/types'
import { useWords } from './index'

/** UCUM codes that are written differently on a screen than in a file. */
const UNITS: Record<string, string> = {
  '1': '', 'V.A{reactive}': 'var', 'kV.A.h{reactive}': 'kvarh', 'N.m': 'N·m', Cel: '°C', 'm3/h': 'm³/h', 'm3/s': 'm³/s', m3: 'm³', 'ug/m3': 'µg/m³', 'mg/m3': 'mg/m³', '[pH]': 'pH', deg: '°', 'kW.h': 'kWh', 'W/m2': 'W/m²', Ohm: 'Ω', 'uS/cm': 'µS/cm', '[ppm]': 'ppm', 'l/s': 'L/s', l: 'L', 'l/min': 'L/min', 'kV.A': 'kVA', 'V.A': 'VA', '[NTU]': 'NTU', 'dB[SPL]': 'dB', '{rpm}': 'r/min', '{count}': '', By: 'B', kBy: 'kB', MBy: 'MB', '1/s': '/s',
}

export function unitText(unit: string): string {
  return UNITS[unit] ?? unit.replace(/^\{(.*)\}$/, '$1')
}

export interface Shown {
  decimals?: number | null
  unit?: string
  labels?: Record<string, Name> | null
}

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone

export function useFormat() {
  const { t, name, locale } = useWords()
  const tag = computed(() => (locale.value === 'zh' ? 'zh-CN' : 'en-GB'))
  const times = (options: Intl.DateTimeFormatOptions) => computed(() => new Intl.DateTimeFormat(tag.value, { hourCycle: 'h23', ...options }))
  const clockTime = times({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const dayTime = times({ month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const fullTime = times({ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
  const day = times({ year: 'numeric', month: '2-digit', day: '2-digit' })

  /** Offset to UTC at a time, such as `UTC+8`. */
  function zoneText(us: number = Date.now() * 1000): string {
    const minutes = -new Date(us / 1000).getTimezoneOffset()
    const hours = Math.floor(Math.abs(minutes) / 60)
    const rest = Math.abs(minutes) % 60
    return `UTC${minutes === 0 ? '' : (minutes < 0 ? '−' : '+') + hours + (rest ? `:${rest}` : '')}`
  }

  /** The hour today, day and hour before that, without the zone: for lists that name it once. */
  function hour(us: number | null | undefined): string {
    if (!us) return '—'
    const date = new Date(us / 1000)
    return day.value.format(date) === day.value.format(new Date()) ? clockTime.value.format(date) : dayTime.value.format(date)
  }

  function number(value: number, decimals?: number | null): string {
    const digits = Math.abs(value) >= 1e6 ? 0 : decimals ?? (Number.isInteger(value) ? 0 : Math.abs(value) >= 100 ? 1 : 2)
    return new Intl.NumberFormat(tag.value, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value)
  }

  /** A value in words: its label where it has one, else the number; no unit. */
  function bare(value: number | string | null | undefined, shown: Shown = {}): string {
    if (value === null || value === undefined || value === '') return '—'
    if (typeof value === 'string') return value
    const label = shown.labels?.[String(value)]
    return label ? name(label) : number(value, shown.decimals)
  }

  function full(value: number | string | null | undefined, shown: Shown = {}): string {
    const text = bare(value, shown)
    const unit = unitText(shown.unit ?? '')
    if (typeof value !== 'number' || !unit || shown.labels?.[String(value)]) return text
    return unit === '%' || unit === '°' ? text + unit : `${text} ${unit}`
  }

  /** Seconds as a length of time, in its two largest parts: `9 天 4 小时`. */
  function span(seconds: number): string {
    const s = Math.max(0, Math.round(seconds))
    if (s < 60) return t('span.s', { n: s })
    if (s < 600 && s % 60) return t('span.mins', { m: Math.floor(s / 60), s: s % 60 })
    if (s < 3600) return t('span.min', { n: Math.floor(s / 60) })
    const hours = Math.floor(s / 3600)
    if (s < 86_400) return s % 3600 < 60 ? t('span.h', { n: hours }) : t('span.hmin', { h: hours, m: Math.floor((s % 3600) / 60) })
    const days = Math.floor(s / 86_400)
    return days > 99 || hours % 24 === 0 ? t('span.d', { n: days }) : t('span.dh', { d: days, h: hours % 24 })
  }

  /** Seconds since something. */
  function ago(seconds: number): string {
    const s = Math.max(0, Math.floor(seconds))
    if (s < 2) return t('age.now')
    if (s < 60) return t('age.s', { n: s })
    if (s < 3600) return t('age.min', { n: Math.floor(s / 60) })
    if (s < 86_400) return t('age.h', { n: Math.floor(s / 3600) })
    return t('age.d', { n: Math.floor(s / 86_400) })
  }

  /** Bytes in decimal units. */
  function bytes(count: number): string {
    const units = ['B', 'kB', 'MB', 'GB', 'TB']
    let size = count
    let step = 0
    while (size >= 1000 && step < units.length - 1) {
      size /= 1000
      step += 1
    }
    return `${number(size, step === 0 || size >= 100 ? 0 : 1)} ${units[step] ?? ''}`
  }

  return {
    number, bare, full, span, ago, bytes, hour, zoneText, tag,
    time: (us: number | null | undefined) => (us ? `${hour(us)} ${zoneText(us)}` : '—'),
    exact: (us: number | null | undefined) => (us ? `${fullTime.value.format(new Date(us / 1000))} ${zoneText(us)}` : '—'),
  }
}
