/** The fields of each kind as forms show them, and what is wrong with a value as it is typed. */
import type { Contact, ThingFields, ThingKind } from '@/api/types'

export type FieldName = keyof ThingFields
export type Plural = 'sites' | 'devices' | 'gateways' | 'points'
export const PLURALS: readonly Plural[] = ['sites', 'devices', 'gateways', 'points']
export const plural = (kind: ThingKind): Plural => `${kind}s`

const NAMES: readonly FieldName[] = ['name_zh', 'name_en']
const LAST: readonly FieldName[] = ['tags', 'note']
export const FIELDS: Readonly<Record<ThingKind, readonly FieldName[]>> = {
  site: [...NAMES, 'kind', 'district', 'department', 'grid_cell', 'lon', 'lat', 'address', ...LAST, 'contacts'],
  gateway: [...NAMES, 'site', 'grid_cell', 'lon', 'lat', ...LAST, 'contacts'],
  device: ['site', ...NAMES, 'kind', 'serial', 'vendor', 'model', 'lon', 'lat', 'grid_cell', ...LAST, 'contacts'],
  point: [...NAMES, ...LAST],
}
const NEEDED: readonly FieldName[] = ['name_zh', 'name_en', 'kind']

/** What a form holds: text as typed; numbers too, until they are sent. */
export interface Draft {
  text: Partial<Record<FieldName, string>>
  tags: string[]
  contacts: Required<Contact>[]
}

const CODE = /^[a-z][a-z0-9_-]{0,62}$/
const GRID = /^\d{14,15}$/
const PHONE = /^\+?[0-9][0-9 ()-]{2,30}$/
const EMAIL = /^[^\s@|;]+@[^\s@|;]+\.[^\s@|;.]{2,63}$/

/** The key of the sentence that says what is wrong (`registry.bad.…`); undefined where nothing is. */
export function wrong(name: FieldName, draft: Draft, isNew: boolean): string | undefined {
  const text = (draft.text[name] ?? '').trim()
  const other = name === 'lon' ? draft.text.lat : name === 'lat' ? draft.text.lon : ''
  if (!text) {
    if ((name === 'lon' || name === 'lat') && (other ?? '').trim()) return 'pair'
    const named = isNew && name.startsWith('name_') && [draft.text.name_zh, draft.text.name_en].some((given) => given?.trim())
    return isNew && NEEDED.includes(name) && !named ? 'needed' : undefined
  }
  if (name === 'grid_cell' && !GRID.test(text)) return 'grid'
  if (name === 'kind' && !CODE.test(text)) return 'code'
  if (name === 'lon' && !(Math.abs(Number(text)) <= 180)) return 'lon'
  if (name === 'lat' && !(Math.abs(Number(text)) <= 90)) return 'lat'
  return undefined
}

export function wrongContact(contact: Contact): { part: 'name' | 'phone' | 'email'; key: string } | undefined {
  if (!contact.name.trim()) return { part: 'name', key: 'needed' }
  if (contact.phone && !PHONE.test(contact.phone.trim())) return { part: 'phone', key: 'phone' }
  if (contact.email && !EMAIL.test(contact.email.trim())) return { part: 'email', key: 'email' }
  return undefined
}

/** A value of the history or of an import, in words. */
export function told(value: unknown): string {
  if (value === null || value === undefined || value === '') return ''
  if (Array.isArray(value)) return value.map(told).filter(Boolean).join('；')
  if (typeof value === 'object') return Object.values(value).filter((part) => part !== '').map(told).join(' ')
  return String(value)
}
