/** How the state of what was sent to a gateway looks: tone and lamp of its tag. */
export const LOOK = {
  pending: ['busy', 'ring'], delivered: ['busy', 'half'], verified: ['good', 'full'], written: ['good', 'half'], mismatch: ['bad', 'half'], rejected: ['bad', 'cross'], expired: ['off', 'cross'], failed: ['bad', 'cross'], unknown: ['warn', 'ring'], selected: ['busy', 'half'],
} as const
