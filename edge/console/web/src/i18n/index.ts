/** 中文 / English: chosen once, kept in the browser, and used for words, names, numbers and times alike. */
import { computed } from 'vue'
import { createI18n, useI18n } from 'vue-i18n'
import type { Name } from '@/api/types'
import en from './en'
import zh from './zh'

export type Locale = 'zh' | 'en'
type Paths<T, P extends string = ''> = { [K in keyof T & string]: T[K] extends string ? `${P}${K}` : Paths<T[K], `${P}${K}.`> }[keyof T & string]
/** Every word there is: a key that is not in `zh.ts` does not compile. */
export type Key = Paths<typeof zh>
const STORE = 'citynerve.locale'

function preferred(): Locale {
  const kept = localStorage.getItem(STORE)
  if (kept === 'zh' || kept === 'en') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

export const i18n = createI18n({ legacy: false, locale: preferred(), fallbackLocale: 'en', messages: { zh, en }, missingWarn: false, fallbackWarn: false })

function mark(locale: Locale): void {
  document.documentElement.lang = locale === 'zh' ? 'zh-CN' : 'en'
}
mark(i18n.global.locale.value)

export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale
  localStorage.setItem(STORE, locale)
  mark(locale)
}

/** Words of the chosen language: `t` for ours, `name` for the API's, `word` for codes that may be new to us. */
export function useWords() {
  const i18n = useI18n({ useScope: 'global' })
  const locale = computed(() => i18n.locale.value as Locale)
  const t = (key: Key, values: Record<string, unknown> = {}) => (typeof values.n === 'number' ? i18n.t(key, values, values.n) : i18n.t(key, values))
  const name = (value: Partial<Name> | null | undefined) => (value ? value[locale.value] || value.zh || value.en || '—' : '—')
  const word = (group: string, key: string | null | undefined, values: Record<string, unknown> = {}) => {
    if (!key) return '—'
    return i18n.te(`${group}.${key}`) ? i18n.t(`${group}.${key}`, values) : key.replaceAll('_', ' ')
  }
  return { t, name, word, locale, known: (key: string) => i18n.te(key) }
}
