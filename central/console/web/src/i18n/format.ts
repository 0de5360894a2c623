/** Numbers, units, times and spans as people read them. */
import { computed } from 'vue'
import { useDirectory } from '@/directory'
import type { Name } from '@/api/types'
import { i18n, useWords } from './index'

/** UCUM codes that are written differently on a screen than in a file. */
const UNITS: Record<string, string> = {
  '1': '', 'V.A{reactive}': 'var', 'kV.A.h{reactive}': 'kvarh', 'N.m': 'N·m', '/h': '/h', Cel: '°C', 'm3/h': 'm³/h', 'm3/s': 'm³/s', m3: 'm³', 'ug/m3': 'µg/m³', 'mg/m3': 'mg/m³', '[pH]': 'pH', deg: '°', 'kW.h': 'kWh', 'W/m2': 'W/m²', m2: 'm²', Ohm: 'Ω', 'uS/cm': 'µS/cm', '[ppm]': 'ppm', 'l/s': 'L/s', L: 'L', l: 'L', 'l/min': 'L/min', 'kV.A': 'kVA', 'V.A': 'VA', '[NTU]': 'NTU', 'dB[SPL]': 'dB', 'dB(A)': 'dB(A)', 'r/min': 'r/min', '{rpm}': 'r/min', '{count}': '', By: 'B', kBy: 'kB', MBy: 'MB', '1/s': '/s', 'kvar': 'kvar', lx: 'lx', '/min': '/min',
}

export function unitText(unit: string): string {
  return UNITS[unit] ?? unit.replace(/^\{(.*)\}$/, '$1')
}

export interface Shown {
  decimals?: number | null
  unit?: string
  labels?: Record<string, Name>
}

const { city } = useDirectory()
const zone = computed(() => city.value?.time_zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone)
const tag = computed(() => (i18n.global.locale.value === 'zh' ? 'zh-CN' : 'en-GB'))

/** A formatter is dear to make: one for the whole page, and a new one only where language or zone changes. */
function times(options: Intl.DateTimeFormatOptions) {
  return computed(() => new Intl.DateTimeFormat(tag.value, { timeZone: zone.value, hourCycle: 'h23', ...options }))
}
const clockTime = times({ hour: '2-digit', minute: '2-digit', second: '2-digit' })
const dayTime = times({ month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
const fullTime = times({ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
const day = times({ year: 'numeric', month: 'short', day: 'numeric', weekday: 'short' })
const dayKey = times({ year: 'numeric', month: '2-digit', day: '2-digit' })
const zoneTime = times({ timeZoneName: 'long' })
const numbers = computed(() => ({ tag: tag.value, made: new Map<number, Intl.NumberFormat>() }))

function numberFormat(digits: number): Intl.NumberFormat {
  const { tag, made } = numbers.value
  let format = made.get(digits)
  if (!format) made.set(digits, (format = new Intl.NumberFormat(tag, { minimumFractionDigits: digits, maximumFractionDigits: digits })))
  return format
}

const MINUTE_MS = 60_000
let today = { minute: 0, by: dayKey.value, key: '' }

/** Whether a moment is of today; what today is, is asked once a minute. */
function isToday(date: Date): boolean {
  const minute = Math.floor(Date.now() / MINUTE_MS)
  if (today.minute !== minute || today.by !== dayKey.value) today = { minute, by: dayKey.value, key: dayKey.value.format(minute * MINUTE_MS) }
  return today.by.format(date) === today.key
}

export function useFormat() {
  const { t, name } = useWords()
  const at = (value: string | number) => new Date(value)

  /** The hour today, the day before that. */
  function time(value: string | number | null | undefined): string {
    if (value === null || value === undefined) return '—'
    const date = at(value)
    return isToday(date) ? clockTime.value.format(date) : dayTime.value.format(date)
  }

  function number(value: number, decimals?: number | null): string {
    const digits = Math.abs(value) >= 1e6 ? 0 : decimals ?? (Number.isInteger(value) ? 0 : Math.abs(value) >= 100 ? 1 : 2)
    return numberFormat(digits).format(value)
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

  /** Seconds as a length of time. */
  function span(seconds: number): string {
    const s = Math.max(0, Math.round(seconds))
    if (s < 60) return t('span.s', { n: s })
    if (s < 600 && s % 60) return t('span.mins', { m: Math.floor(s / 60), s: s % 60 })
    if (s < 3600) return t('span.min', { n: Math.floor(s / 60) })
    if (s < 86_400 && s % 3600 < 60) return t('span.h', { n: Math.floor(s / 3600) })
    if (s < 86_400) return t('span.hmin', { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) })
    return t('span.d', { n: Math.floor(s / 86_400) })
  }

  /** Seconds that something still lasts: days with their hours. */
  function lasting(seconds: number): string {
    const h = Math.floor(seconds / 3600)
    return h < 24 ? span(seconds) : t('span.dh', { d: Math.floor(h / 24), h: h % 24 })
  }

  function bytes(size: number): string {
    const [unit, scale]: [string, number] = size >= 1e9 ? ['GB', 1e9] : size >= 1e6 ? ['MB', 1e6] : ['kB', 1e3]
    return `${number(size / scale, size >= 1e8 ? 0 : 1)} ${unit}`
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

  return {
    time, number, bare, full, span, lasting, bytes, ago, zone,
    clock: (value: number) => clockTime.value.format(at(value)),
    zoneName: (value: number) => zoneTime.value.formatToParts(at(value)).find((part) => part.type === 'timeZoneName')?.value ?? zone.value,
    day: (value: number) => day.value.format(at(value)),
    exact: (value: string | number | null | undefined) => (value === null || value === undefined ? '—' : fullTime.value.format(at(value))),
  }
}
