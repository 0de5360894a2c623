/** Put words on the clipboard and say so. */
import { useWords } from '@/i18n'
import { useMessage } from '@/naive'

export function useCopy() {
  const message = useMessage()
  const { t } = useWords()
  return async (words: string): Promise<void> => {
    if (await put(words)) message.success(t('common.copied'))
    else message.warning(t('common.notCopied'), { duration: 8_000, closable: true })
  }
}

/** Browsers keep their clipboard from a page that came over plain HTTP from another machine; an old way is left. */
async function put(words: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(words)
    return true
  } catch {
    return selected(words)
  }
}

function selected(words: string): boolean {
  const before = document.activeElement
  const area = document.createElement('textarea')
  area.className = 'sr'
  area.value = words
  // Inside the sheet that is open: nothing outside of it takes the focus.
  ;(before?.closest('[role=dialog]') ?? document.body).append(area)
  area.select()
  try {
    return document.execCommand('copy')
  } finally {
    area.remove()
    if (before instanceof HTMLElement) before.focus()
  }
}
