/** What people do to alarms from the list: any number at once, all or with each failure named. */
import { api } from '@/api/client'
import type { components } from '@/api/schema'
import { useWords } from '@/i18n'
import { useMessage } from '@/naive'
import { useAct } from '@/parts/act'

type Schemas = components['schemas']
export type ActsDone = Schemas['ActsDone']
export type Cover = Schemas['Cover']
export type Fold = Schemas['Fold']
export type FoldList = Schemas['FoldList']
export type SavedView = Schemas['View']
export type Assignee = Schemas['Assignee']
type Verb = 'acknowledge' | 'comment' | 'assign' | 'reset'
const MOST = 1_000

export function useDeskActs() {
  const { t } = useWords()
  const { act, busy } = useAct()
  const message = useMessage()

  async function each(path: string, ids: string[], body: object): Promise<ActsDone> {
    const sum: ActsDone = { done: 0, failures: [], remaining: false }
    for (let at = 0; at < ids.length; at += MOST) {
      const part = await api.post<ActsDone>(path, { ...body, ids: ids.slice(at, at + MOST) })
      sum.done += part.done
      sum.failures.push(...part.failures)
    }
    return sum
  }
  async function many(path: string, ids: string[], body: object, done: string): Promise<boolean> {
    let sum: ActsDone | null = null
    const ran = await act(async () => (sum = await each(path, ids, body)))
    const told = sum as ActsDone | null
    if (!ran || !told) return false
    if (told.done) message.success(t(done, { n: told.done }))
    const [first] = told.failures
    if (first) message.warning(t('desk.failures', { n: told.failures.length, why: first.detail }), { duration: 8_000, closable: true })
    return told.done > 0
  }
  return {
    busy,
    act: (verb: Verb, ids: string[], body: object = {}) => many('/alarms/acts', ids, { verb, ...body }, `desk.done.${verb}`),
    shelve: (ids: string[], minutes: number, reason: string) => many('/alarms/overlays', ids, { verb: 'shelve', minutes, comment: reason }, 'alarm.shelveDone'),
    unshelve: (ids: string[]) => many('/alarms/overlays', ids, { verb: 'unshelve' }, 'alarm.unshelveDone'),
    run: act,
  }
}
