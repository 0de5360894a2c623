/** An error of the API as a sentence of the chosen language. */
import type { ApiError } from '@/api/client'
import { useWords } from '@/i18n'
import { useSaid } from '@/i18n/said'

/** Codes whose own words hold what our sentence cannot: a number, a name, an address. */
const TELLING = new Set(['wait', 'device', 'storage', 'out-of-limits', 'wrong-type', 'not-representable', 'shelving-time', 'probation-time', 'other-gateway', 'file-not-writable', 'unknown-version', 'wrong-shape', 'url', 'units', 'registers', 'no-authority', 'cannot-write'])

export function useFailure() {
  const { t, known, word, locale } = useWords()
  const said = useSaid()
  const ours = (error: ApiError) => known(`error.code.${error.code}`)
  /** Our sentence for a code we know; else the gateway's own words, which are English. */
  function sentence(error: ApiError): string {
    if (ours(error)) return word('error.code', error.code)
    return error.message ? said(error.message) : `${t('error.failed')} (${error.code})`
  }
  /** The gateway's own words, where they say more than ours. */
  function detail(error: ApiError): string {
    if (!ours(error) || !TELLING.has(error.code) || !error.message) return ''
    const text = said(error.message)
    return locale.value === 'zh' && text === error.message ? t('common.said', { text }) : text
  }
  return { sentence, detail }
}
