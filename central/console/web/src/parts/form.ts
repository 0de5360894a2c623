/** A form that says what is wrong beside each field: its own checks as one types, the centre's after sending. */
import { computed, reactive, ref, watch } from 'vue'
import { ApiError } from '@/api/client'
import { useWords } from '@/i18n'
import { useMessage } from '@/naive'

export interface Field {
  /** What is written; a change takes back what the centre said of it. */
  of: () => unknown
  /** What is wrong with it in words; empty: nothing. */
  wrong?: () => string
}

/** Keys are the centre's names of fields, `settings.host`; an error goes to the longest key that it names. */
export function useForm(fields: Record<string, Field>) {
  const { t, locale } = useWords()
  const message = useMessage()
  const busy = ref(false)
  const tried = ref(false)
  const written = reactive(new Set<string>())
  const refused = reactive(new Map<string, string>())
  for (const [key, field] of Object.entries(fields)) {
    watch(field.of, () => {
      written.add(key)
      refused.delete(key)
      refused.delete('')
    }, { deep: true })
  }

  const fault = (key: string) => refused.get(key) ?? (tried.value || written.has(key) ? (fields[key]?.wrong?.() ?? '') : '')
  const bad = computed(() => Object.values(fields).some((field) => field.wrong?.()))

  function keyOf(named: string): string {
    const path = `.${named}.`
    return Object.keys(fields).filter((key) => path.includes(`.${key}.`)).sort((a, b) => b.length - a.length)[0] ?? ''
  }

  /** Send what is right; true when the centre took it. */
  async function send(action: () => Promise<unknown>, done?: string): Promise<boolean> {
    tried.value = true
    if (bad.value || busy.value) return false
    busy.value = true
    refused.clear()
    try {
      await action()
      if (done) message.success(done)
      return true
    } catch (cause) {
      const error = cause instanceof ApiError ? cause : null
      for (const one of error?.errors ?? []) {
        const key = keyOf(one.field)
        const said = (locale.value === 'zh' ? one.problem_zh : undefined) ?? one.problem.replace(/^Value error, /, '')
        refused.set(key, [refused.get(key), said].filter(Boolean).join(' · '))
      }
      if (error?.code === 'exists') refused.set(keyOf('name'), t('form.taken'))
      if (!refused.size) message.error(error?.code === 'unreachable' ? t('error.unreachable') : (cause as Error).message, { duration: 8_000, closable: true })
      return false
    } finally {
      busy.value = false
    }
  }
  return { fault, bad, busy, send }
}
