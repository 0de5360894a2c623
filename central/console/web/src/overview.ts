/** The city in numbers: whoever shows them at the same moment shares one request. */
import { api } from '@/api/client'
import type { Overview } from '@/api/types'

let asking: Promise<Overview> | null = null

export function loadOverview(): Promise<Overview> {
  asking ??= api.get<Overview>('/overview').finally(() => (asking = null))
  return asking
}
