/** How urgent a device is, as one number that clusters can take the highest of; and how that looks. */
import type { Priority } from '@/api/types'

/** P1 6, P2 5, P3 4, P4 3, fault 2, stale 1, calm 0. */
export type Rank = 0 | 1 | 2 | 3 | 4 | 5 | 6
export const CALM = 0
export const STALE = 1
export const FAULT = 2
/** The lowest rank of a device with an active alarm. */
export const ALARMED = 3

/** state: 0 active, 1 stale, 2 fault; worst: 1 for P1 to 4, 0 none. */
export function rankOf(state: number, worst: number): Rank {
  return (worst ? 7 - worst : state === 2 ? FAULT : state === 1 ? STALE : CALM) as Rank
}

export function priorityOf(rank: number): Priority | null {
  return rank >= ALARMED ? (`P${7 - rank}` as Priority) : null
}

export const COLOURS: Record<Rank, string> = { 0: '#45d6bf', 1: '#8ea0ba', 2: '#e77ba8', 3: '#63a8ff', 4: '#f4d35e', 5: '#ff9a3d', 6: '#ff5b61' }
