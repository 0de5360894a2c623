/** How old a camera's picture may be before it says so: judged by the centre's clock, in words and colour. */
import type { components } from '@/api/schema'

export type Camera = components['schemas']['Camera']
export type Snapshot = components['schemas']['Snapshot']
export type Freshness = 'new' | 'old' | 'stale' | 'none'

const OLD_S = 180
const STALE_S = 900

export function freshness(shot: Snapshot | null, now: number): Freshness {
  if (!shot) return 'none'
  const age = (now - Date.parse(shot.taken_at)) / 1000
  return age > STALE_S ? 'stale' : age > OLD_S ? 'old' : 'new'
}

/** Whether a camera's picture says nothing about now. */
export const dead = (camera: Camera) => camera.state === 'offline' || camera.state === 'fault'

export const imageOf = (shot: Snapshot) => `/api/v1/snapshots/${shot.id}/image`
