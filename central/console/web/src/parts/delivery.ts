/** How states of deliveries, webhooks and channels look: a tone, and a form that differs too. */
import type { Delivery } from '@/api/types'

type Look = readonly ['good' | 'busy' | 'warn' | 'bad' | 'off', 'full' | 'ring' | 'half' | 'cross']
export const DELIVERY: Readonly<Record<Delivery['state'], Look>> = {
  waiting: ['busy', 'ring'],
  held: ['warn', 'half'],
  digested: ['good', 'half'],
  sent: ['good', 'full'],
  refused: ['bad', 'cross'],
  given_up: ['bad', 'cross'],
}
/** Nothing more happens to these by itself. */
export const OVER: ReadonlySet<Delivery['state']> = new Set<Delivery['state']>(['sent', 'refused', 'given_up', 'digested'])
/** These can be sent again. */
export const AGAIN: ReadonlySet<Delivery['state']> = new Set<Delivery['state']>(['sent', 'refused', 'given_up'])
