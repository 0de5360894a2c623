/** An error of the API as a sentence of the chosen language. */
import type { ApiError } from '@/api/client'
import { useWords } from '@/i18n'

export function useFailure() {
  const { t, known, word, locale } = useWords()
  /** Our sentence for a code we know; else the gateway's own words, which are English. */
  function sentence(error: ApiError): string {
    if (known(`error.code.${error.code}`)) return word('error.code', error.code)
    return error.message || `${t('error.failed')} (${error.code})`
  }
  /** The gateway's own words, where they say more than ours. */
  function detail(error: ApiError): string {
    const ours = known(`error.code.${error.code}`)
    if (!ours || !error.message || error.code === 'mistakes') return ''
    return locale.value === 'zh' ? t('common.said', { text: error.message }) : error.message
  }
  return { sentence, detail }
}
