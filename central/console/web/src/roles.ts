/** Names of roles: our words for those built in, the centre's own as it wrote them. */
import { reactive } from 'vue'
import { ApiError, api } from '@/api/client'
import type { Name, Page, Role } from '@/api/types'
import { useWords } from '@/i18n'

const BUILT_IN: ReadonlySet<string> = new Set(['viewer', 'operator', 'supervisor', 'engineer', 'admin'])
const LOOK_AGAIN_MS = 10_000
const names = reactive(new Map<string, Name>())
let askedAt = 0

/** Load the names again, at most once in ten seconds: an unknown role is a reason to look again. */
async function load(): Promise<void> {
  if (Date.now() - askedAt < LOOK_AGAIN_MS) return
  askedAt = Date.now()
  try {
    for (const role of (await api.get<Page<Role>>('/roles')).items) names.set(role.id, role.name)
  } catch (cause) {
    if (!(cause instanceof ApiError)) throw cause // who may not list roles reads the id
  }
}

export function useRoles() {
  const { name, word } = useWords()
  function roleName(id: string): string {
    const own = names.get(id)
    if (own) return name(own)
    if (id && !BUILT_IN.has(id)) void load()
    return word('role', id)
  }
  return { roleName }
}
