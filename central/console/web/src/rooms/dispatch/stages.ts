/** The stages of a case as one line, each with its time and person, taken from the steps that were kept. */
import type { Case, CaseStep } from '@/api/types'

export const STAGES = ['filed', 'dispatched', 'accepted', 'onSite', 'done', 'checked', 'closed'] as const
export type Stage = (typeof STAGES)[number]
const ACTION: Record<Stage, CaseStep['action']> = { filed: 'open', dispatched: 'assign', accepted: 'accept', onSite: 'on_site', done: 'done', checked: 'verify', closed: 'close' }

export interface StageState {
  stage: Stage
  step: CaseStep | null
  current: boolean
}

/** Return every stage; a rework or refusal takes back the stages that have to be gone through again. */
export function stagesOf(item: Case): StageState[] {
  const reached = new Map<Stage, CaseStep>()
  for (const step of item.steps) {
    if (step.action === 'rework') for (const stage of ['accepted', 'onSite', 'done', 'checked'] as const) reached.delete(stage)
    if (step.action === 'refuse') for (const stage of ['dispatched', 'accepted', 'onSite', 'done'] as const) reached.delete(stage)
    const stage = STAGES.find((key) => ACTION[key] === step.action)
    if (stage) reached.set(stage, step)
  }
  const next = item.state === 'VOIDED' ? undefined : STAGES.find((stage) => !reached.has(stage))
  return STAGES.map((stage) => ({ stage, step: reached.get(stage) ?? null, current: stage === next }))
}
