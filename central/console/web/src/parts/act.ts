/** Do something at the centre and say how it went. */
import { ref } from 'vue'
import { ApiError } from '@/api/client'
import { useWords } from '@/i18n'
import { useMessage } from '@/naive'

export function useAct() {
  const message = useMessage()
  const { t } = useWords()
  const busy = ref(false)

  /** Run `action`; true when it succeeded. The centre's repair sentence is shown when it did not. */
  async function act(action: () => Promise<unknown>, done?: string): Promise<boolean> {
    if (busy.value) return false
    busy.value = true
    try {
      await action()
      if (done) message.success(done)
      return true
    } catch (cause) {
      const error = cause instanceof ApiError ? cause : null
      message.error(error?.code === 'unreachable' ? t('error.unreachable') : (cause as Error).message, { duration: 8_000, closable: true })
      return false
    } finally {
      busy.value = false
    }
  }
  return { act, busy }
}
