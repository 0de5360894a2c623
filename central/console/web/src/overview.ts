/** The city in numbers: the shell and the first page show them at the same moment. */
import { api } from '@/api/client'
import { shared } from '@/api/shared'
import type { Overview } from '@/api/types'

export const loadOverview = shared(() => api.get<Overview>('/overview'))
