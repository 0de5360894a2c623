/** 中文 / English: chosen once, kept in the browser, and used for words, names, numbers and times alike. */
import { computed } from 'vue'
import { createI18n, useI18n } from 'vue-i18n'
import type { Name } from '@/api/types'
import en from './en'
import type { Words } from './words'
import zh from './zh'

export type Locale = 'zh' | 'en'
const KEY = 'citynerve.locale'

const parts = import.meta.glob<{ zh: Words; en: Words }>('./parts/*.ts', { eager: true, import: 'default' })
const named = Object.entries(parts).map(([path, both]) => [path.replace(/^.*\/|\.ts$/g, ''), both] as const)
const messages = {
  zh: { ...zh, ...Object.fromEntries(named.map(([part, both]) => [part, both.zh])) },
  en: { ...en, ...Object.fromEntries(named.map(([part, both]) => [part, both.en])) },
}

function preferred(): Locale {
  const kept = localStorage.getItem(KEY)
  if (kept === 'zh' || kept === 'en') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

export const i18n = createI18n({ legacy: false, locale: preferred(), fallbackLocale: 'en', messages, missingWarn: false, fallbackWarn: false })

function mark(locale: Locale): void {
  document.documentElement.lang = locale === 'zh' ? 'zh-CN' : 'en'
}
mark(i18n.global.locale.value)

export function setLocale(locale: Locale): void {
  i18n.global.locale.value = locale
  localStorage.setItem(KEY, locale)
  mark(locale)
}

/** Words of the chosen language: `t` for ours, `name` for the API's, `word` for codes that may be new to us. */
export function useWords() {
  const { t, te, locale } = useI18n({ useScope: 'global' })
  const code = computed(() => locale.value as Locale)
  const name = (value: Name | null | undefined) => (value ? value[code.value] || value.zh || value.en : '—')
  const word = (group: string, key: string | null | undefined) => {
    if (!key) return '—'
    return te(`${group}.${key}`) ? t(`${group}.${key}`) : key.replaceAll('_', ' ')
  }
  return { t, name, word, locale: code }
}
